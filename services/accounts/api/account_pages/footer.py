"""The choice of a language in the footer of each page: where it leads back."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Request
from pydantic import StringConstraints

from accounts.api.middleware.csrf import SAFE_METHODS

# A page with its query. Such a URL leads to this site, whatever follows the beginning.
THIS_PAGE = r"^/(account|admin)([/?][!-~]*)?$"
ThisPage = Annotated[str, StringConstraints(pattern=THIS_PAGE, max_length=2_000)]
CONTINUATION = ("token", "invitation", "next")  # what a form may be opened with


def this_page(request: Request, form_url: str | None, given: Mapping[str, Any]) -> str | None:
    """Return the URL that opens a page again, in another language.

    It is that of a refused form, if this is one. None if only this response can show the page, such as new codes.
    """
    scope = request.scope
    url, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    if request.method not in SAFE_METHODS:
        url, query = form_url or "", urlencode({name: given[name] for name in CONTINUATION if given[name]})
    if query:
        url = f"{url}?{query}"
    return url if re.match(THIS_PAGE, url) else None
