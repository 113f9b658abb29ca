"""The choice of a language in the footer of each page: where it leads back."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Request
from pydantic import StringConstraints

from accounts.api.account_pages.forms import PAGE_OF_BUTTON
from accounts.api.account_pages.paths import PATH
from accounts.api.http_methods import SAFE_METHODS, has_route

# A page with its query. Such a URL leads to this site, whatever follows the beginning.
THIS_PAGE = r"^/(account|admin)([/?][!-~]*)?$"
ThisPage = Annotated[str, StringConstraints(pattern=THIS_PAGE, max_length=2_000)]
CONTINUATION = ("token", "invitation", "next")  # what a form may be opened with


def this_page(request: Request, given: Mapping[str, Any], *, refused: bool) -> str | None:
    """Return the URL that opens a page again, in another language.

    It is that of the form's page, if a form was ``refused``. None if only this response can show the page, such as new
    codes.
    """
    scope = request.scope
    url, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    if request.method not in SAFE_METHODS:
        if not refused:
            return None
        url, query = _page_of_form(request), urlencode({name: given[name] for name in CONTINUATION if given[name]})
    if query:
        url = f"{url}?{query}"
    return url if re.match(THIS_PAGE, url) else None


def _page_of_form(request: Request) -> str:
    """Return the path of the page that a form is on: its own, or the nearest one above it."""
    path: str = request.scope["path"]
    if page := PAGE_OF_BUTTON.get(path.removeprefix(f"{PATH}/")):
        return f"{PATH}/{page}"
    while path and not has_route(request, "GET", path):
        path = path.rpartition("/")[0]
    return path
