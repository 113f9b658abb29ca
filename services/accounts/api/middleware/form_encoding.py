"""The encoding of forms: they are UTF-8 (WHATWG URL, 5.1)."""

import re
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts.api.http_methods import SAFE_METHODS

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
UTF_8 = re.compile(r'charset="?utf-?8"?\s*(?=;|$)')
ESCAPES = {byte: f"%{byte:02X}" for byte in range(0x80, 0x100)}


class Utf8Forms:
    """Percent-encode raw UTF-8, which Starlette would read as Latin-1, and refuse forms that are not UTF-8 with 400.

    WHATWG replaces bytes that are not UTF-8. That would store a password that cannot be entered again. In a query
    string, the server accepts ASCII only.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            content_type = Headers(scope=scope).get("content-type", "").lower()
            if content_type.startswith(FORMS):
                receive = _form(content_type, receive)
        await self.app(scope, receive, send)


def _form(content_type: str, receive: Receive) -> Receive:
    """Receive a form in one message, when a route reads it; the limits of bodies apply."""
    is_multipart = content_type.startswith("multipart")

    async def receive_form() -> Message:
        if is_multipart and "charset" in UTF_8.sub("", content_type):  # decoding some takes quadratic time
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Forms are UTF-8.")
        content, message = bytearray(), await receive()
        while message.get("more_body"):
            content += message["body"]
            message = await receive()
        if message["type"] == "http.request":
            body = bytes(content) + message.get("body", b"")
            message["body"] = _multipart(body) if is_multipart else _url_encoded(body)
        return message

    return receive_form


def _url_encoded(content: bytes) -> bytes:
    _require_utf8(unquote_to_bytes(content))
    return content.decode("latin-1").translate(ESCAPES).encode()  # each byte is a character; no call for each


def _multipart(content: bytes) -> bytes:
    if b"filename" not in content:  # a file may be anything
        _require_utf8(content)
    return content


def _require_utf8(content: bytes) -> None:
    try:
        content.decode()
    except UnicodeDecodeError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "The form is not UTF-8.") from None
