"""What the lists of the administration share: fields of a search that may be empty, and links that keep the search."""

from typing import Annotated
from urllib.parse import urlencode

from pydantic import StringConstraints

from accounts.api.account_pages.forms import BLANK
from accounts.models.identity import EMAIL_LENGTH
from accounts.schemas.fields import NFKC
from accounts.schemas.invisible_text import VISIBLE
from accounts.schemas.pagination import PageQuery

# A name, an email address or an id. The pattern excludes control characters and line breaks.
SearchText = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=EMAIL_LENGTH, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"
    ),
    VISIBLE,
    NFKC,
]
OptionalText = Annotated[SearchText | None, BLANK]


def list_url(path: str, query: PageQuery) -> str:
    """Return the URL of the first page of a list, with what was searched for."""
    searched = query.model_dump(mode="json", exclude={"cursor"}, exclude_defaults=True)
    given = {name: value for name, value in searched.items() if value not in {None, ""}}
    return f"{path}?{urlencode(given)}" if given else path
