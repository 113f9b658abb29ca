"""Checks of every request body that FastAPI validates: its media type, and that it is not ``null``.

FastAPI reads a form of another type as an empty one, JSON of another type as bytes, and ``null`` as no body.
"""

import re
from collections.abc import Awaitable
from http import HTTPStatus

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect

from accounts.api.middleware.form_encoding import FORMS
from accounts.api.oauth_errors import JSON

MEDIA_TYPE = {True: re.compile("|".join(FORMS)), False: re.compile(r"application/(.+\+)?json")}  # by: is it a form?
UNREADABLE = (ClientDisconnect, ValueError, LookupError)  # the client went away, or an encoding is wrong
NULL = {"type": "model_attributes_type", "loc": ("body",), "msg": "Input should be an object"}


async def check_body(request: Request) -> None:
    """Refuse a body that the route does not take. No body at all is left to the validation.

    Raises:
        HTTPException: 415, the media type is another one.
        RequestValidationError: the body is ``null``.

    """
    field = request.scope["route"].body_field
    if field is None or not _has_body(request):
        return
    is_form = isinstance(field.field_info, Form)
    if not MEDIA_TYPE[is_form].fullmatch(media_type(request)):
        raise unsupported_media_type(FORMS[0] if is_form else JSON)
    if not is_form and (await request.body()).strip() == b"null":
        raise RequestValidationError([NULL])


def media_type(request: Request) -> str:
    """Return the media type of the body, without parameters, in lower case; empty if the client names none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def unsupported_media_type(expected: str) -> HTTPException:
    """Return the refusal of a body of another media type."""
    headers = {"Accept": expected}  # RFC 9110, 15.5.16
    return HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send Content-Type: {expected}.", headers)


async def read_file(request: Request) -> bytes:
    """Read the body of a route that takes a file.

    Raises:
        HTTPException: 400, the client disconnected. It gets no response, but the log has one.

    """
    return await _or_bad_request(request.body())


async def read_form(request: Request) -> FormData:
    """Read a form.

    Raises:
        HTTPException: 400, it cannot be parsed, or the client disconnected.

    """
    return await _or_bad_request(request.form())


async def _or_bad_request[Result](reading: Awaitable[Result]) -> Result:
    try:
        return await reading
    except UNREADABLE:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
