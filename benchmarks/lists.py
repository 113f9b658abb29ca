"""Lists with many rows: PostgreSQL's time for the first, second and last page, and the indexes it uses.

BENCH_USERS sets the number of users (100000).
"""

import asyncio
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, async_sessionmaker, create_async_engine
from sqlmodel import col, select

from accounts.db.session import Session, transaction
from accounts.domain.groups import member_list
from accounts.domain.groups.groups import GroupManager
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.assurance import BY_PASSWORD
from accounts.domain.sessions.caller import FastReader
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import Membership, Role, SessionKind, User, UserGroup
from accounts.schemas.groups import GroupQuery, MemberQuery, OwnGroupQuery
from accounts.schemas.pagination import Page
from accounts.settings import get_settings
from postgres import throwaway
from support.schema import recorded_statements, same_connection

USERS = int(os.environ.get("BENCH_USERS", "100000"))
ROUNDS = 3
List = Callable[[Session, Any], Awaitable[Page[Any]]]


def run() -> None:
    """Seed a throw-away database and print a table."""
    with throwaway() as cluster:
        os.environ |= {
            "ENVIRONMENT": "development",
            "DATABASE_URL": cluster.url(),
            "SECRET_KEY": secrets.token_urlsafe(48),
        }
        for command in (["alembic", "upgrade", "head"], ["accounts.seeder", "--users", str(USERS)]):
            subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.DEVNULL)
        asyncio.run(_measure(cluster.url().replace("postgresql:", "postgresql+asyncpg:")))


async def _measure(url: str) -> None:
    engine = create_async_engine(url)
    async with transaction(async_sessionmaker(engine, class_=Session)) as db:
        print(f"{'list':38}{'page':8}{'ms':>8}  indexes")
        for name, listing, query in await _lists(db):
            first = await _explain(db, name, "first", listing, query)
            if first.next:
                for page, cursor in (("second", first.next), ("last", first.last)):
                    await _explain(db, name, page, listing, query.model_copy(update={"cursor": cursor}))
    await engine.dispose()


async def _lists(db: Session) -> list[tuple[str, List, Any]]:
    everybody = (await db.exec(select(UserGroup).where(col(UserGroup.name).like("Everybody %")))).one()
    owners = select(User).join(Membership).where(col(Membership.role) == Role.OWNER)
    user = (await db.exec(owners.where(col(Membership.group_id) == everybody.id))).one()
    superuser = (await db.exec(select(User).where(User.is_superuser))).one()
    _, token = await SessionManager(db, get_settings()).start(superuser, SessionKind.BEARER, BY_PASSWORD)
    claims = Claims(superuser.id, token.session_id)

    def groups(viewer: User | None) -> List:
        return lambda db, query: GroupManager(db).list(viewer, query)

    async def members(db: Session, query: MemberQuery) -> Any:
        connection = await db.connection()
        same = async_sessionmaker(connection, class_=Session, join_transaction_mode="create_savepoint")
        idle = get_settings().session_idle
        reader = FastReader(same_connection(same), claims, idle)
        return await member_list.list_members(reader, everybody.id, query)

    return [
        ("groups, anonymous", groups(None), GroupQuery()),
        ("groups, user", groups(user), GroupQuery()),
        ("groups, superuser", groups(superuser), GroupQuery()),
        ("groups, superuser, by name", groups(superuser), GroupQuery(name="s")),
        ("own groups", lambda db, query: GroupManager(db).of_user(user, query), OwnGroupQuery()),
        ("everybody", members, MemberQuery()),
        ("everybody, owners", members, MemberQuery(role=Role.OWNER)),
        ("everybody, members", members, MemberQuery(role=Role.MEMBER)),
        ("everybody, by name", members, MemberQuery(name="maria")),
        ("everybody, by email", members, MemberQuery(email="maria")),
        ("everybody, owners by name", members, MemberQuery(name="a", role=Role.OWNER)),
    ]


async def _explain(db: Session, name: str, page: str, listing: List, query: Any) -> Page[Any]:
    connection = await db.connection()
    async with recorded_statements(db) as ran:
        found = await listing(db, query)
    times = []
    for _ in range(ROUNDS):
        plan = await _plan(connection, *ran[-1])
        times.append(float(re.findall(r"Execution Time: ([\d.]+)", plan)[0]))
    indexes = sorted(set(re.findall(r"(?:ix|uq|pk)_\w+", plan)))
    print(f"{name:38}{page:8}{min(times):8.2f}  {', '.join(indexes)}")
    return found


async def _plan(connection: AsyncConnection, statement: str, values: Any) -> str:
    await connection.execute(text("SET LOCAL jit = off"))  # as in the API
    lines = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", values)
    return "\n".join(line for (line,) in lines)
