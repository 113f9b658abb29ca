"""Links to the other pages of a list: the Link header (RFC 8288). URLs are relative, so proxies do not break them."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from fastapi import Request, Response

from accounts.api.openapi import Responses
from accounts.schemas.pagination import Page

LINK_HEADER: Responses = {
    200: {
        "headers": {
            "Link": {
                "description": 'Other pages, as `<…>; rel="next"`, with `prev`, `first` and `last`; absent if '
                "everything is on this page.",
                "schema": {"type": "string"},
            }
        }
    }
}
# Clients may send these unescaped. In a Link header they would end the URI or the parameter (RFC 3986, 2; RFC 8288, 3).
NOT_IN_URIS = str.maketrans({"<": "%3C", ">": "%3E", '"': "%22", "\\": "%5C"})


def json_page(request: Request, page: Page[str]) -> Response:
    """Return a response with rows that are JSON texts already."""
    response = json_list(page.rows)
    add_link_header(request, response, page)
    return response


def json_list(rows: Iterable[str]) -> Response:
    """Return a response with a list of JSON texts."""
    return json_response(f"[{','.join(rows)}]")


def json_response(text: str) -> Response:
    """Return a response with a JSON text."""
    return Response(text, media_type="application/json")


def add_link_header(request: Request, response: Response, page: Page[Any]) -> None:
    """Add links to the other pages, if there are any: the URL of this request with other cursors."""
    if not (page.next or page.prev or (not page.rows and "cursor" in request.query_params)):
        return
    path = request.scope["raw_path"].decode()
    query = request.url.query.translate(NOT_IN_URIS)
    kept = [part for part in query.split("&") if part and unquote_plus(part.partition("=")[0]) != "cursor"]
    urls = {"first": "&".join(kept)}
    for relation, cursor in (("prev", page.prev), ("next", page.next), ("last", page.last)):
        if cursor:
            urls[relation] = "&".join([*kept, f"cursor={cursor}"])
    response.headers["Link"] = ", ".join(
        f'<{path}{"?" if query else ""}{query}>; rel="{relation}"' for relation, query in urls.items()
    )
