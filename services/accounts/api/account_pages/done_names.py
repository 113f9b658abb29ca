"""The name of what an action was about, for the message on the next page, such as which group the user has left.

A short-lived cookie has it: URLs are kept in histories and logs, and the user may no longer see a group that they left.
"""

from urllib.parse import quote, unquote

from fastapi import Request
from starlette.responses import Response

from accounts.api.account_pages.messages import DONE

DONE_COOKIE = "__Host-accounts-done"
SECONDS = 60


def with_name[R: Response](response: R, name: str) -> R:
    """Set the cookie with a name in a response that leads to the next page."""
    response.set_cookie(DONE_COOKIE, quote(name, safe=""), SECONDS, secure=True, httponly=True, samesite="lax")
    return response


def done_name(request: Request) -> str:
    """Return the name in the browser's cookie, or an empty string."""
    return unquote(request.cookies.get(DONE_COOKIE, ""))


def done_message(request: Request) -> str | None:
    """Return the message of ``DONE`` that the URL asks for, unless it lacks its name."""
    message = DONE.get(request.query_params.get("done", ""))
    return None if message and "%(name)s" in message and not done_name(request) else message
