"""Renders letters with Jinja: one template for each kind, in a layout for plain text and one for HTML."""

import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from accounts.branding import Branding
from accounts.branding.overrides import check_overrides
from accounts.models.mail import MailKind
from accounts.settings import Settings
from accounts.translations import SOURCE_LANGUAGE, Language, get_language
from accounts.translations.templates import create_environment
from accounts.worker.display import display

WIDTH = 72


def render_letter(
    kind: MailKind, values: Mapping[str, Any], language: Language, branding: Branding
) -> tuple[str, str, str]:
    """Return the subject, the plain text and the HTML of a letter.

    Raises:
        UndefinedError: a value is missing.
        ValueError: a value cannot be shown.

    """
    shown = {name: display(name, value, language) for name, value in values.items()} | {"language": language.tag}
    shown["colours"] = branding.palette
    environments = (_environment(language, branding.templates, autoescape=markup) for markup in (False, True))
    text, html = (environment.get_template(f"{kind}.j2") for environment in environments)
    subject = text.render(shown, layout="subject.txt", blocks="blocks.txt")
    plain = text.render(shown, layout="letter.txt", blocks="blocks.txt").rstrip() + "\n"
    return subject, plain, html.render(shown, layout="letter.html", blocks="blocks.html")


def check_templates(settings: Settings) -> None:
    """Check the letters in TEMPLATES_DIR.

    Raises:
        SettingsError: a template has an error.

    """
    environment = _environment(get_language(SOURCE_LANGUAGE), settings.templates_dir, autoescape=True)
    check_overrides(settings.templates_dir, "mail", environment)


@cache
def _environment(language: Language, templates: Path | None, *, autoescape: bool) -> Environment:
    overrides = templates / "mail" if templates else None
    environment = create_environment(("accounts.worker",), language, autoescape=autoescape, overrides=overrides)
    environment.filters |= {"wrapped": _wrapped, "quoted": _quoted}
    return environment


def _wrapped(text: str, prefix: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False)


def _quoted(text: str) -> str:
    return "\n".join(_wrapped(line, "> ") or ">" for line in text.splitlines())
