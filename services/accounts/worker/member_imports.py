"""The worker's imports of members: one after the other, the oldest first."""

from accounts.db.engine import ConnectDriver
from accounts.db.session import Sessionmaker
from accounts.domain.bulk import BulkWork
from accounts.domain.member_imports.running import MemberImportRunner
from accounts.settings import Settings

POLL_SECONDS = 10.0  # in case a notification is lost, and after an outage
BLOCKED_SECONDS = 1.0  # until the locks of an import are free


class MemberImports:
    """Takes the imports that have not ended in turns, so that one that fails again and again delays no other."""

    def __init__(self, sessionmaker: Sessionmaker, connect: ConnectDriver, settings: Settings) -> None:
        self._runner = MemberImportRunner(BulkWork(sessionmaker), sessionmaker, connect, settings)
        self._last = 0
        self._is_blocked = False

    async def run_next(self) -> float:
        """Run the next import, if there is one, and return how many seconds to wait before the one after it."""
        found = await self._runner.find(self._last)
        if found is None:
            pause = BLOCKED_SECONDS if self._is_blocked else POLL_SECONDS
            self._last, self._is_blocked = 0, False
            return pause
        self._last = found.id
        if not await self._runner.run(found):
            self._is_blocked = True
        return 0.0
