"""The session's cookie, as FastAPI Users' transport sets it at a sign-in."""

from starlette.responses import Response

# Browsers insist on Secure, Path=/ and no Domain for this prefix (RFC 6265bis, 4.1.3.2).
COOKIE = "__Host-accounts"
COOKIE_SECONDS = 400 * 24 * 60 * 60  # the longest that browsers allow: the session's own limits end it earlier


def cookie_header(token: str) -> tuple[bytes, bytes]:
    """Return the raw header that sets the cookie to a session's token."""
    response = Response()
    response.set_cookie(COOKIE, token, COOKIE_SECONDS, path="/", secure=True, httponly=True, samesite="lax")
    return response.raw_headers[-1]
