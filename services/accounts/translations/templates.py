"""Jinja environments of pages and letters: translated, strict about missing values."""

from collections.abc import Iterable

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from accounts.translations import Language


def create_environment(packages: Iterable[str], language: Language, *, autoescape: bool) -> Environment:
    """Create the environment for the ``templates`` of packages in one language.

    Templates translate with ``_("Hello %(name)s", name=name)`` and ``{% trans %}``. In markup, values are escaped and
    translations are not.
    """
    environment = Environment(
        autoescape=autoescape,  # noqa: S701  # the caller knows whether it is markup
        extensions=["jinja2.ext.i18n"],
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]  # the extension's
    environment.filters |= {"date_time": language.date_time, "from_now": language.from_now}
    return environment
