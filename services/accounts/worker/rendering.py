"""Renders letters with Jinja: one template for each kind, in a layout for plain text and one for HTML."""

import textwrap
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment

from accounts.models.mail import MailKind
from accounts.translations import Language
from accounts.translations.templates import create_environment
from accounts.worker.display import display

WIDTH = 72


def render_letter(kind: MailKind, values: Mapping[str, Any], language: Language) -> tuple[str, str, str]:
    """Return the subject, the plain text and the HTML of a letter.

    Raises:
        UndefinedError: a value is missing.
        ValueError: a value cannot be shown.

    """
    shown = {name: display(name, value, language) for name, value in values.items()} | {"language": language.tag}
    text, html = (_environment(language, autoescape=markup).get_template(f"{kind}.j2") for markup in (False, True))
    subject = text.render(shown, layout="subject.txt", blocks="blocks.txt")
    plain = text.render(shown, layout="letter.txt", blocks="blocks.txt").rstrip() + "\n"
    return subject, plain, html.render(shown, layout="letter.html", blocks="blocks.html")


@cache
def _environment(language: Language, *, autoescape: bool) -> Environment:
    environment = create_environment(("accounts.worker",), language, autoescape=autoescape)
    environment.filters |= {"wrapped": _wrapped, "quoted": _quoted}
    return environment


def _wrapped(text: str, prefix: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False)


def _quoted(text: str) -> str:
    return "\n".join(_wrapped(line, "> ") or ">" for line in text.splitlines())
