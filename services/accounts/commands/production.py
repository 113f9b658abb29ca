"""What API and worker check in production before they start."""

import logging

from accounts.commands.run import fail, run
from accounts.db.errors import DATABASE_ERRORS
from accounts.db.session import Sessionmaker, transaction
from accounts.domain.errors import NotReady
from accounts.domain.sample_users.published_password import find_hashes
from accounts.settings import get_settings

log = logging.getLogger("accounts")
REFUSAL = "an account still has the public password of the sample data; run: make admin ARGS=remove-sample-users"


def refuse_published_password(name: str) -> None:
    """End the process in production if an account has the published password of the sample data.

    Without a database that answers, the process starts: it could not respond to health checks otherwise.

    Raises:
        SystemExit: with status 1 and the command that helps.

    """
    if get_settings().development:
        return
    try:
        found = run(name, _published_password_is_used)
    except (*DATABASE_ERRORS, NotReady):
        log.warning("not checked for the password of the sample data: the database does not answer or is not migrated")
        return
    if found:
        fail(name, REFUSAL)


async def _published_password_is_used(sessionmaker: Sessionmaker) -> bool:
    async with transaction(sessionmaker) as db:
        return bool(await find_hashes(db))
