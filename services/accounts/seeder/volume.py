"""Volume data for load tests, streamed from generators into COPY, so memory use is constant."""

import sys
from collections.abc import Iterator, Sequence
from itertools import batched, islice
from typing import Any

from sqlalchemy import func
from sqlmodel import select
from tqdm import tqdm

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.identity import password_hashing
from accounts.domain.sample_users.published_password import PASSWORD
from accounts.models import UserGroup
from accounts.seeder.batch import Batch
from accounts.seeder.sample import NEXT_ID

# Foreign keys are checked at the end of each COPY: several of them show progress and can be interrupted.
ROWS_PER_COPY = 20_000
USER_COLUMNS = ("id", "email", "display_name", "hashed_password", "is_active", "is_superuser", "is_verified")
GROUP_COLUMNS = ("id", "name", "description", "visibility")
MEMBERSHIP_COLUMNS = ("group_id", "user_id", "role")
# Memberships are generated user by user but inserted group by group: a trigger counts the members of each group that a
# statement adds to, so inserting by user would count every group again for each portion.
CREATE_STAGED = CompiledStatement(
    "CREATE TEMP TABLE staged AS SELECT group_id, user_id, role FROM membership WITH NO DATA"
)
INSERT_STAGED = CompiledStatement("""
    INSERT INTO membership (group_id, user_id, role)
    SELECT group_id, user_id, role FROM staged WHERE group_id BETWEEN :lowest AND :highest ORDER BY group_id, user_id
""")
DROP_STAGED = CompiledStatement("DROP TABLE staged")
ANALYZE = CompiledStatement('ANALYZE "user", user_group, membership')
PORTIONS = 20


async def create(db: Session, batch: Batch) -> bool:
    """Create a batch of users, groups and memberships; return False and do nothing if it exists."""
    same_name = func.lower(UserGroup.name) == func.lower(batch.everybody)
    if (await db.exec(select(UserGroup.id).where(same_name))).first():
        return False
    group_ids = (await db.exec(NEXT_ID.select_from(func.generate_series(0, batch.groups)))).all()
    # The salt comes from the batch, so every run stores the same hash. The password is public.
    hashed = password_hashing.PASSWORD_HASH.hash(PASSWORD, salt=batch.random("salt").randbytes(16))
    await copy(db, "user", USER_COLUMNS, batch.user_rows(hashed), batch.users)
    await copy(db, "user_group", GROUP_COLUMNS, batch.group_rows(group_ids), len(group_ids))
    await CREATE_STAGED.run(db)
    await copy(db, "staged", MEMBERSHIP_COLUMNS, batch.membership_rows(group_ids), 2 * batch.users)
    _say("membership: inserting the rows, group by group")
    for lowest, highest in tqdm([*portions(group_ids)], desc="membership", leave=False, disable=not _on_terminal()):
        await INSERT_STAGED.run(db, lowest=lowest, highest=highest)
    await DROP_STAGED.run(db)
    _say("updating the database's statistics")
    await ANALYZE.run(db)
    return True


def portions(group_ids: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Split group ids into ranges: first the Everybody group, which has half of the memberships, then portions."""
    yield group_ids[0], group_ids[0]
    for portion in batched(group_ids[1:], -(-len(group_ids) // PORTIONS), strict=False):
        yield portion[0], portion[-1]


async def copy(db: Session, table: str, columns: tuple[str, ...], rows: Iterator[Any], expected: int) -> None:
    """Copy rows in the session's transaction, which must have begun. ``expected`` is their approximate number."""
    connection: Any = (await (await db.connection()).get_raw_connection()).driver_connection
    copied, last, hidden = 0, ROWS_PER_COPY, not _on_terminal()
    with tqdm(total=expected, desc=f"{table:10}", unit="row", unit_scale=True, leave=False, disable=hidden) as bar:
        while last == ROWS_PER_COPY:
            portion = islice(rows, ROWS_PER_COPY)
            status = await connection.copy_records_to_table(table, records=portion, columns=columns)
            last = int(status.removeprefix("COPY "))
            copied += last
            bar.update(last)
    _say(f"{table}: {copied:,} rows")


def _on_terminal() -> bool:
    return sys.stderr.isatty()


def _say(message: str) -> None:
    print(message, file=sys.stderr)
