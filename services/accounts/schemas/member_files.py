"""Schemas of member files: the rows of imports and exports, and the result of an import."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from accounts.models import Role
from accounts.schemas.csv_injection import unescape_formula
from accounts.schemas.fields import Email, Note


class ExportFormat(StrEnum):
    """Formats of the export."""

    CSV = "csv"
    JSON = "json"


class MemberExport(BaseModel):
    """An exported member: a row of CSV, or a JSON object."""

    user_id: uuid.UUID
    email: str = Field(examples=["king.arthur@camelot.example.com"])
    display_name: str = Field(examples=["Arthur Pendragon"])
    role: Role
    joined_at: datetime


def _importable_role(value: str) -> str:
    role = value.strip().lower()
    if role == Role.OWNER:
        raise PydanticCustomError("owner", "An owner cannot be imported")
    if role not in {Role.ADMIN, Role.MEMBER}:
        raise PydanticCustomError("role", "Input should be 'member' or 'admin'")
    return role


class ImportRow(BaseModel):
    """An imported row."""

    email: Annotated[Email, BeforeValidator(unescape_formula)]
    role: Annotated[Role, BeforeValidator(_importable_role)] = Role.MEMBER
    note: Note = ""


# The columns of an import. Exports can be imported unchanged: their other columns are ignored.
COLUMNS = (*ImportRow.model_fields, *sorted(MemberExport.model_fields.keys() - ImportRow.model_fields))


class RowError(NamedTuple):
    """An error in one row of a file, never with the value; ``column`` is None if the row as a whole is wrong."""

    line: int
    column: str | None
    type: str
    msg: str


class ImportRead(BaseModel):
    """The number of imported rows by result. In a dry run, nothing was changed."""

    dry_run: bool
    added: int = Field(default=0, description="Users who became members.", examples=[3])
    invited: int = Field(default=0, description="People who were sent an invitation.", examples=[2])
    already_members: int = Field(
        default=0, description="Users who were members already. They keep their role.", examples=[1]
    )
    already_invited: int = Field(
        default=0, description="People who had an open invitation already. They keep it.", examples=[0]
    )
