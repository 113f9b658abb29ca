"""Members in bulk as they cross the wire: the lines of a file, and what came of it."""

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
    """What members are exported as."""

    CSV = "csv"
    JSON = "json"


class MemberExport(BaseModel):
    """A member as exported: a line of CSV, or an object of JSON."""

    user_id: uuid.UUID
    email: str = Field(examples=["king.arthur@camelot.example.com"])
    display_name: str = Field(examples=["Arthur Pendragon"])
    role: Role
    joined_at: datetime


def _importable(value: str) -> str:
    role = value.strip().lower()
    if role == Role.OWNER:
        raise PydanticCustomError("owner", "An owner cannot be imported")
    if role not in {Role.ADMIN, Role.MEMBER}:
        raise PydanticCustomError("role", "Input should be 'member' or 'admin'")
    return role


class ImportRow(BaseModel):
    """A line of a file that is imported."""

    email: Annotated[Email, BeforeValidator(unescape_formula)]
    role: Annotated[Role, BeforeValidator(_importable)] = Role.MEMBER
    note: Note = ""


# An export can be imported as it is; what nobody can decide about a member is passed over.
COLUMNS = (*ImportRow.model_fields, *sorted(MemberExport.model_fields.keys() - ImportRow.model_fields))


class RowError(NamedTuple):
    """What is wrong with one line of a file, and in which column, if in one; never the value."""

    line: int
    column: str | None
    type: str
    msg: str


class ImportRead(BaseModel):
    """How many lines of a file had which consequence; in a dry run, would have had."""

    dry_run: bool
    added: int = Field(default=0, description="Became members.", examples=[3])
    invited: int = Field(default=0, description="Were sent an invitation.", examples=[2])
    already_members: int = Field(default=0, description="Were members before, and keep their role.", examples=[1])
    already_invited: int = Field(default=0, description="Had an open invitation before, and keep it.", examples=[0])
