"""Pages of lists as they cross the wire."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field

from accounts.schemas.text import Opaque

PAGE_SIZE = 50
PAGE_LIMIT = 200


class PageQuery(BaseModel):
    """Which page of a list is asked for."""

    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT, description="How many rows at most.")] = PAGE_SIZE
    cursor: Annotated[Opaque | None, Field(description="From the `next` link of the page before.")] = None


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """Some rows of a list, and the cursor of the page behind them (None on the last page)."""

    rows: Sequence[Row]
    next: str | None
