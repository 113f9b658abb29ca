"""Jinja environments of pages and letters: translated, strict about missing values."""

from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from jinja2 import BaseLoader, ChoiceLoader, DictLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined

from accounts.translations import Language
from accounts.translations.compiled import TranslatedEnvironment

ORIGINAL = "original/"  # before the name of a template of ours, in one that replaces it


def create_environment(
    packages: Iterable[str], language: Language, *, autoescape: bool, overrides: Path | None = None
) -> Environment:
    """Create the environment for the ``templates`` of packages in one language.

    Templates translate with ``_("Hello %(name)s", name=name)`` and ``{% trans %}``. In markup, values are escaped and
    translations are not. Templates in the folder ``overrides`` replace ours of the same name. They are read once, and
    stay as they were when they were checked.
    """
    environment = TranslatedEnvironment(
        language,
        autoescape=autoescape,  # the caller knows whether it is markup
        extensions=["jinja2.ext.i18n"],
        loader=_loader(ChoiceLoader([PackageLoader(package) for package in packages]), overrides),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]  # the extension's
    environment.filters |= {"date_time": language.date_time, "from_now": language.from_now, "number": language.number}
    return environment


def _loader(ours: BaseLoader, overrides: Path | None) -> BaseLoader:
    if overrides is None:
        return ours
    return ChoiceLoader([DictLoader(_read(overrides)), ours, PrefixLoader({ORIGINAL.rstrip("/"): ours})])


@cache
def _read(folder: Path) -> dict[str, str]:
    """Read the templates of a folder. A check reports those that cannot be read."""
    texts = dict[str, str]()
    for path in folder.rglob("*"):
        with suppress(OSError, UnicodeDecodeError):
            texts[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8")
    return texts
