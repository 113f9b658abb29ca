"""Templates, and the one environment for each of the two forms that a letter has."""

import textwrap
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import escape

from accounts.models.mail import MailKind
from accounts.worker.language import Language

WIDTH = 72


class _Facts(dict[str, Any]):
    """What a sentence's placeholders stand for; a missing one is Jinja's undefined, which says so when it is used."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def __missing__(self, name: str) -> object:
        return self._context.resolve(name)


@pass_context
def _say(context: Context, key: str) -> str:
    sentence: str = context["sentences"][key]
    return (escape(sentence) if context.eval_ctx.autoescape else sentence).format_map(_Facts(context))


def _wrapped(text: str, prefix: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False)


def _quoted(text: str) -> str:
    return "\n".join(_wrapped(line, "> ") or ">" for line in text.splitlines())


def _environment(*, autoescape: bool) -> Environment:
    made = Environment(
        autoescape=autoescape,  # noqa: S701  # plain text has nothing to escape
        loader=PackageLoader("accounts.worker"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["say"] = _say
    made.filters |= {"wrapped": _wrapped, "quoted": _quoted}
    return made


TEXT = _environment(autoescape=False)
HTML = _environment(autoescape=True)


def render(kind: MailKind, facts: Mapping[str, Any], language: Language) -> tuple[str, str, str]:
    """Write the subject, the plain text and the HTML of a letter.

    Raises:
        UndefinedError: a fact is missing.
        ValueError: a fact cannot be shown.

    """
    shown = {name: language.show(name, value) for name, value in facts.items()}
    values = shown | {"kind": kind.value, "language": language.tag, "sentences": language.sentences(kind)}
    subject = TEXT.get_template("subject.txt").render(values)
    text = TEXT.get_template("letter.txt").render(values)
    return subject, text.rstrip() + "\n", HTML.get_template("letter.html").render(values)
