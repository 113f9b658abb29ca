"""The languages that a client accepts: the one chosen on a page, else what the browser prefers."""

from fastapi import Request

from accounts.translations import available_languages

COOKIE = "__Host-accounts-language"


def accepted_languages(request: Request) -> str:
    """Return the language that the cookie names, if it is available, else the Accept-Language header."""
    chosen = request.cookies.get(COOKIE, "")
    return chosen if chosen in available_languages() else request.headers.get("accept-language", "")
