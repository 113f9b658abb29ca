"""What a page says after an action that led to it: texts of the modules of pages (``DONE``), and pages of results.

The action puts the name of the text into a cookie, which lives for minutes and is deleted by the page that shows it. In
a URL it would be a message that anyone can send to a user. With it goes the name of what the action was about, such as
a group that the user left and may no longer see.
"""

from collections.abc import Iterable
from types import ModuleType
from typing import NamedTuple
from urllib.parse import quote, unquote

from fastapi import Request
from starlette.responses import Response

DONE_COOKIE = "__Host-accounts-done"
SECONDS = 5 * 60


class Done(NamedTuple):
    """The name of a text, or the text, and what the action was about, or an empty string."""

    text: str
    name: str


def done_texts(modules: Iterable[ModuleType]) -> dict[str, str]:
    """Return the texts of modules by name (``DONE``). A removed module takes its own along."""
    return {name: text for module in modules for name, text in getattr(module, "DONE", {}).items()}


def remember_done(response: Response, done: Done) -> None:
    """Have the page that a response leads to say what was done."""
    value = f"{done.text}:{quote(done.name, safe='')}"
    # Lax: a sign-in with a provider comes from the provider's site.
    response.set_cookie(DONE_COOKIE, value, SECONDS, secure=True, httponly=True, samesite="lax")


def forget_done(response: Response) -> None:
    """Delete the cookie, since a response shows its message."""
    response.delete_cookie(DONE_COOKIE, secure=True, httponly=True, samesite="lax")


def last_done(request: Request) -> Done:
    """Return what the browser did last, by the name of its text; empty if that is not known."""
    text, _, name = request.cookies.get(DONE_COOKIE, "").partition(":")
    return Done(text, unquote(name))


def done_message(request: Request) -> Done | None:
    """Return the message about what the browser did last, unless there is none, or it lacks its name."""
    done = last_done(request)
    text: str = request.app.state.done.get(done.text, "")
    return Done(text, done.name) if text and (done.name or "%(name)s" not in text) else None
