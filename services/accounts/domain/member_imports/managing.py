"""A group's imports as its admins see them: begin, watch and cancel."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import col, func, select

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.groups.access import get_access, lock_group
from accounts.domain.groups.permissions import Permission
from accounts.domain.invitations.store import InvitationRequest
from accounts.domain.member_imports.packing import pack
from accounts.domain.people import require_verified_email
from accounts.models import ImportStatus, MemberImport, User

CHANNEL = "member_imports"  # PostgreSQL notifies it at each commit that stored an import
LIST_LENGTH = 20
STALLED_SECONDS = 60
CREATE = CompiledStatement(f"""
    INSERT INTO member_import (group_id, actor_id, rows, request, total)
    VALUES (:group_id, :actor_id, :rows, CAST(:request AS jsonb), :total)
    ON CONFLICT (group_id) WHERE finished_at IS NULL DO NOTHING
    RETURNING id, pg_notify('{CHANNEL}', '')
""")  # noqa: S608  # only a constant is interpolated
# The transaction that imports demands that the row has not ended, when it ends it and commits.
CANCEL = CompiledStatement(f"""
    UPDATE member_import SET status = '{ImportStatus.CANCELLED}', finished_at = now(), rows = NULL, request = NULL
    WHERE id = :id AND group_id = :group_id AND finished_at IS NULL
""")  # noqa: S608  # only a constant is interpolated


@dataclass(frozen=True, slots=True)
class MemberImportRead:
    """An import, without the rows of its file. Its actor's name may be empty."""

    id: int
    status: ImportStatus
    created_at: datetime
    progressed_at: datetime
    finished_at: datetime | None
    total: int
    done: int
    counts: Mapping[str, int]
    error: str
    retry_at: datetime | None
    actor_id: uuid.UUID
    actor_name: str
    is_stalled: bool

    @property
    def is_open(self) -> bool:
        """Return whether it waits or runs."""
        return self.finished_at is None


STALLED = func.now() - col(MemberImport.progressed_at) > timedelta(seconds=STALLED_SECONDS)
COMPUTED = {"actor_name": col(User.display_name).label("actor_name"), "is_stalled": STALLED.label("is_stalled")}
COLUMNS: Any = [
    COMPUTED[field.name] if field.name in COMPUTED else getattr(MemberImport, field.name)
    for field in fields(MemberImportRead)
]


class MemberImportManager:
    """Operations on a group's imports. Methods run in the caller's transaction.

    Every method raises GroupNotFound or GroupForbidden unless the caller may import into the group.
    """

    def __init__(self, db: Session) -> None:
        self.db = db

    async def create(self, group_id: int, rows: Sequence[InvitationRequest], actor: User) -> int:
        """Store an import for the worker, and return its id. What the actor may do is checked again when it runs.

        Raises:
            UserNotFound: the actor was deleted or deactivated meanwhile.
            VerifiedEmailRequired: the actor's email address is not verified.
            NotForServiceAccounts: the actor is a service account.
            ImportInProgress: the group has an import that has not ended.

        """
        packed = await pack(rows)
        await lock_group(self.db, group_id, actor, Permission.IMPORT)
        require_verified_email(actor)
        request = json.dumps(_request(self.db))
        values = {"group_id": group_id, "actor_id": actor.id, "rows": packed, "request": request, "total": len(rows)}
        created = await CREATE.run(self.db, **values)
        if not created:
            raise errors.ImportInProgress
        return int(created[0].id)

    async def find(self, group_id: int, import_id: int, viewer: User) -> MemberImportRead | None:
        """Get an import, or None if the group has no such import."""
        rows = await self._read(group_id, viewer, col(MemberImport.id) == import_id)
        return rows[0] if rows else None

    async def list(self, group_id: int, viewer: User) -> Sequence[MemberImportRead]:
        """List the newest imports, at most ``LIST_LENGTH``."""
        return await self._read(group_id, viewer)

    async def cancel(self, group_id: int, import_id: int, actor: User) -> None:
        """End an import that has not ended. Nothing of its file is imported."""
        await get_access(self.db, group_id, actor, Permission.IMPORT)
        await CANCEL.run(self.db, id=import_id, group_id=group_id)

    async def _read(self, group_id: int, viewer: User, *conditions: ColumnElement[bool]) -> Sequence[MemberImportRead]:
        await get_access(self.db, group_id, viewer, Permission.IMPORT)
        in_group = col(MemberImport.group_id) == group_id
        statement = select(*COLUMNS).join(User, col(User.id) == MemberImport.actor_id).where(in_group, *conditions)
        rows = await self.db.exec(statement.order_by(col(MemberImport.id).desc()).limit(LIST_LENGTH))
        return [MemberImportRead(**row._asdict()) for row in rows]


def _request(db: Session) -> dict[str, str | int]:
    """Return what the audit log, mail and permissions need to know of the request."""
    context = db.context
    known = {name: getattr(context, name) for name in ("client_ip", "user_agent", "accept_language")} if context else {}
    return known | {"level": db.caller_level.level}
