"""Progress of a running import, by short transactions of its own: others see it while the import's is open."""

from time import monotonic

from accounts.db.session import Sessionmaker, transaction
from accounts.db.statements import CompiledStatement
from accounts.models import ImportStatus

SECONDS = 0.5  # between two writes
WRITE = CompiledStatement(f"""
    UPDATE member_import SET status = '{ImportStatus.RUNNING}', done = :done, progressed_at = now(),
        mails_counted = mails_counted OR :mails_counted
    WHERE id = :id AND finished_at IS NULL
    RETURNING id
""")  # noqa: S608  # only a constant is interpolated


class Ended(Exception):  # noqa: N818  # no error
    """The import was cancelled, or its group or actor deleted: nothing of it is stored."""


class Progress:
    """Writes the progress of one import. The import's own transaction does not lock the row before it ends."""

    def __init__(self, sessionmaker: Sessionmaker, import_id: int) -> None:
        self._sessionmaker = sessionmaker
        self._import_id = import_id
        self._done, self._written_at = 0, 0.0

    async def write(self, done: int, *, mails_counted: bool = False) -> None:
        """Write how many rows are done. Raises Ended."""
        async with transaction(self._sessionmaker) as db:
            rows = await WRITE.run(db, id=self._import_id, done=done, mails_counted=mails_counted)
        if not rows:
            raise Ended
        self._done, self._written_at = done, monotonic()

    async def __call__(self, done: int) -> None:
        """Write how many rows are done, unless that was just done. Raises Ended."""
        if monotonic() - self._written_at >= SECONDS:
            await self.write(done)

    async def remember_mails(self) -> None:
        """Write that the mails were counted: an import that begins again counts them once. Raises Ended."""
        await self.write(self._done, mails_counted=True)
