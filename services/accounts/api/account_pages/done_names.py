"""What a page says after an action that led to it (``?done=…``): texts of the modules of pages (``DONE``).

A short-lived cookie has the name of what the action was about, such as a group that the user left and may no longer
see: URLs are kept in histories and logs.
"""

from collections.abc import Iterable
from types import ModuleType
from urllib.parse import quote, unquote

from fastapi import Request
from starlette.responses import Response

DONE_COOKIE = "__Host-accounts-done"
SECONDS = 60


def done_texts(modules: Iterable[ModuleType]) -> dict[str, str]:
    """Return the texts of modules by name (``DONE``). A removed module takes its own along."""
    return {name: text for module in modules for name, text in getattr(module, "DONE", {}).items()}


def with_name[R: Response](response: R, name: str) -> R:
    """Set the cookie with a name in a response that leads to the next page."""
    response.set_cookie(DONE_COOKIE, quote(name, safe=""), SECONDS, secure=True, httponly=True, samesite="lax")
    return response


def done_name(request: Request) -> str:
    """Return the name in the browser's cookie, or an empty string."""
    return unquote(request.cookies.get(DONE_COOKIE, ""))


def done_message(request: Request) -> str | None:
    """Return the message that the URL asks for, unless it lacks its name."""
    message: str | None = request.app.state.done.get(request.query_params.get("done", ""))
    return None if message and "%(name)s" in message and not done_name(request) else message
