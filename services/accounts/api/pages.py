"""How a page says where the next one is: a Link header (RFC 8288), relative, so that no proxy can make it wrong."""

from typing import Any

from fastapi import Request, Response

from accounts.api.openapi import Responses
from accounts.schemas.page import Page

PAGED: Responses = {
    200: {
        "headers": {
            "Link": {
                "description": 'The next page, as `<…>; rel="next"`; absent on the last one.',
                "schema": {"type": "string"},
            }
        }
    }
}


def add_link(request: Request, response: Response, page: Page[Any]) -> None:
    """Name the next page, if there is one, by this request's own path and query with another cursor."""
    if page.next is not None:
        url = request.url.include_query_params(cursor=page.next)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
