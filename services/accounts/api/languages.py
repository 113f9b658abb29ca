"""The languages that a client accepts: the one chosen on a page, else what the browser prefers."""

from fastapi import Request, Response

from accounts.api.session_cookie import COOKIE_SECONDS
from accounts.translations import available_languages

COOKIE = "__Host-accounts-language"


def accepted_languages(request: Request) -> str:
    """Return the language that the cookie names, if it is available, else the Accept-Language header."""
    chosen = request.cookies.get(COOKIE, "")
    return chosen if chosen in available_languages() else request.headers.get("accept-language", "")


def remember_language(response: Response, tag: str) -> None:
    """Set the cookie to a language. It is no secret, but no script needs it either."""
    response.set_cookie(COOKIE, tag, COOKIE_SECONDS, secure=True, httponly=True, samesite="lax")


def forget_language(response: Response) -> None:
    """Delete the cookie, so that the browser's languages count."""
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
