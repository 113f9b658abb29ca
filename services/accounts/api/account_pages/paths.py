"""Where the pages are, and where they may lead."""

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import HTTPException, Request
from pydantic import StringConstraints
from starlette.convertors import IntegerConvertor, register_url_convertor

PATH = "/account"
ADMIN = "/admin"
# A page to continue with, see ``page_url``: it cannot lead anywhere else.
NextPage = Annotated[str, StringConstraints(pattern=r"^(/[a-z0-9-]{1,40}){0,6}$")]
CONNECTED_ACCOUNTS = "/connected-accounts"
PAGE = re.compile(r"(/[a-z0-9-]{1,40}){1,6}")  # the pages that a sign-in or a confirmation leads back to
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    # With no-referrer, forms would send no Origin, which the cross-site guard needs. Paths and tokens are not sent.
    "Referrer-Policy": "strict-origin",
    "X-Robots-Tag": "noindex",
}


class RowConvertor(IntegerConvertor):
    """The number of a row in a path. Starlette's own ``int`` raises ValueError for thousands of digits."""

    regex = "[1-9][0-9]{0,17}"


register_url_convertor("row", RowConvertor())


def is_admin_page(path: str) -> bool:
    """Return whether a path is that of a page of the administration."""
    return path == ADMIN or path.startswith(f"{ADMIN}/")


def page_url(page: str) -> str:
    """Return the path of a page: one of the administration is given in full, all others are account pages."""
    return page if is_admin_page(page) else f"{PATH}{page}"


async def require_pages_enabled(request: Request) -> None:
    """Refuse requests for pages if PAGES_URL names another site.

    Raises:
        HTTPException: 404.

    """
    if request.state.settings.pages_url:
        raise HTTPException(HTTPStatus.NOT_FOUND)
