"""Runs imports of members: the worker's side.

The rows and the end of an import are stored by one transaction, which holds the locks of ``BulkWork``. A worker that is
killed leaves neither, so another one begins the import again. Without its locks, which other imports of the user or
into the group have as well, an import waits.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from traceback import format_tb
from typing import Any

from sqlalchemy import Row
from sqlmodel import col, select

from accounts.db.engine import ConnectDriver
from accounts.db.errors import describe, is_conflict, is_unavailable
from accounts.db.session import CallerLevel, RequestContext, Session, Sessionmaker
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.bulk import BulkWork
from accounts.domain.invitations.member_import import import_members
from accounts.domain.member_imports.packing import unpack
from accounts.domain.member_imports.progress import Ended, Progress
from accounts.domain.rate_limits.counting import check_rate_limit
from accounts.domain.rate_limits.rules import Attempt
from accounts.domain.rate_limits.senders import must_count
from accounts.models import ImportStatus, MemberImport, User
from accounts.settings import Settings

log = logging.getLogger("accounts.member_imports")
UNFORESEEN = "INTERNAL_SERVER_ERROR"
FIND = CompiledStatement("""
    SELECT id, group_id, actor_id, CAST(request AS text) AS request FROM member_import
    WHERE finished_at IS NULL AND id > :after ORDER BY id LIMIT 1
""")
END = CompiledStatement("""
    UPDATE member_import SET status = :status, finished_at = clock_timestamp(), rows = NULL, request = NULL,
        counts = CAST(:counts AS jsonb), done = CASE WHEN :error = '' THEN total ELSE done END, error = :error,
        retry_at = clock_timestamp() + CAST(:retry AS integer) * interval '1 second'
    WHERE id = :id AND finished_at IS NULL
    RETURNING id
""")


@dataclass(frozen=True)
class MemberImportRunner:
    """Runs the imports that have not ended. Several processes may do it.

    ``work`` opens the transactions that import, ``sessionmaker`` and ``connect`` short ones beside them.
    """

    work: BulkWork
    sessionmaker: Sessionmaker
    connect: ConnectDriver
    settings: Settings

    async def find(self, after: int = 0) -> Row[Any] | None:
        """Return the oldest import that has not ended, of those with an id above ``after``."""
        async with self.sessionmaker() as db:
            return next(iter(await FIND.run(db, after=after)), None)

    async def run(self, found: Row[Any]) -> bool:
        """Run an import to its end. Outages are raised, after which it runs again; mistakes of ours end it.

        Returns:
            False if another import of the user or into the group runs, perhaps this one in another worker.

        """
        subjects = f"import by {found.actor_id}", f"import into {found.group_id}"
        try:
            async with self.work.transaction(self._context(found), *subjects) as db:
                await _Run(self, db, found.id).run()
        except errors.ImportInProgress:
            return False
        except Ended:
            pass
        return True

    def _context(self, found: Row[Any]) -> RequestContext:
        request = json.loads(found.request)
        level = CallerLevel(request.pop("level"), self.settings.superuser_aal)
        return RequestContext(**request, actor_id=found.actor_id, caller_level=level)


class _Run:
    def __init__(self, runner: MemberImportRunner, db: Session, import_id: int) -> None:
        self.runner = runner
        self.db = db
        self.id = import_id
        self.progress = Progress(runner.sessionmaker, import_id)

    async def run(self) -> None:
        await self.progress.write(0)  # it may have ended before the locks were granted
        statement = select(MemberImport, User).join(User, col(User.id) == MemberImport.actor_id)
        row = (await self.db.exec(statement.where(col(MemberImport.id) == self.id))).one_or_none()
        if row is None:
            raise Ended
        try:
            async with self.db.begin_nested():
                await self._import(*row)
        except errors.TooManyAttempts as refusal:
            await self._refuse(refusal.code, refusal.seconds)
        except errors.Refusal as refusal:
            await self._refuse(refusal.code)
        except Exception as error:
            if isinstance(error, Ended) or is_unavailable(error) or is_conflict(error):
                raise
            frames = "".join(format_tb(error.__traceback__))  # without the message, which may quote a row
            log.error("import %d of members ends: %s\n%s", self.id, describe(error), frames)  # noqa: TRY400
            await self._refuse(UNFORESEEN)

    async def _import(self, stored: MemberImport, actor: User) -> None:
        result = await import_members(
            self.db,
            stored.group_id,
            actor,
            unpack(stored.rows or b""),
            self.runner.settings.secret_keys[0],
            self._count_mails(actor, counted=stored.mails_counted),
            dry_run=False,
            progress=self.progress,
        )
        await self._end(ImportStatus.FINISHED, counts=result.model_dump(exclude={"dry_run"}))

    def _count_mails(self, actor: User, *, counted: bool) -> Callable[[int], Any]:
        scale = self.runner.settings.limit_scale

        async def count(mails: int) -> None:
            if must_count(self.db, actor, mails, scale) and not counted:
                account = str(actor.id)
                await check_rate_limit(
                    self.runner.connect,
                    Attempt.MAIL_OTHERS,
                    self.db.client_ip,
                    account=account,
                    cost=mails,
                    scale=scale,
                )
                await self.progress.remember_mails()

        return count

    async def _refuse(self, code: str, retry: int | None = None) -> None:
        await self._end(ImportStatus.REFUSED, error=code, retry=retry)

    async def _end(
        self,
        status: ImportStatus,
        *,
        counts: Mapping[str, int] | None = None,
        error: str = "",
        retry: int | None = None,
    ) -> None:
        """Store the end. Raises Ended if it has ended meanwhile."""
        values = {"counts": json.dumps(counts or {}), "error": error, "retry": retry}
        if not await END.run(self.db, id=self.id, status=status.value, **values):
            raise Ended
