"""Pages of lists as they cross the wire."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field

from accounts.schemas.fields import OpaqueToken

PAGE_SIZE = 50
PAGE_LIMIT = 200


class PageQuery(BaseModel):
    """Which page of a list is asked for."""

    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT, description="How many rows at most.")] = PAGE_SIZE
    cursor: Annotated[OpaqueToken | None, Field(description="From a link of another page of the list.")] = None


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """Some rows of a list, and the cursors of the pages behind and before them (None where there is none)."""

    rows: Sequence[Row]
    next: str | None
    prev: str | None
    last: str
