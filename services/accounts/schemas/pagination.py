"""Schemas of paginated lists (keyset pagination)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field

from accounts.schemas.fields import OpaqueToken

PAGE_SIZE = 50
PAGE_LIMIT = 200


class PageQuery(BaseModel):
    """A page of a list."""

    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT, description="The maximum number of items.")] = PAGE_SIZE
    cursor: Annotated[OpaqueToken | None, Field(description="Taken from a URL in the `Link` header.")] = None


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """Rows of one page, and the cursors of the next, previous and last page (None if there is no such page)."""

    rows: Sequence[Row]
    next: str | None
    prev: str | None
    last: str


def read_page[Row: BaseModel](schema: type[Row], page: Page[str]) -> Page[Row]:
    """Return a page of JSON objects as a page of their schema."""
    rows = [schema.model_validate_json(row) for row in page.rows]
    return Page(rows, page.next, page.prev, page.last)
