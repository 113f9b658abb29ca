"""Every list of groups and members is read from an index, both ways, so it costs the same at a million rows."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker

from accounts.db.session import Session, transaction
from accounts.domain.groups import member_list
from accounts.domain.groups.groups import GroupManager
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.assurance import BY_PASSWORD
from accounts.domain.sessions.caller import FastReader
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import Role, SessionKind, User, Visibility
from accounts.schemas.groups import GroupQuery, MemberQuery, OwnGroupQuery
from accounts.schemas.pagination import PageQuery
from accounts.settings import get_settings
from support.people import World
from support.schema import recorded_statements, same_connection

SOME_ID = "01999999-9999-7999-8999-999999999999"
Listing = Callable[[Session, User, Any], Awaitable[Any]]
BY_NAME, OWN = "ix_user_group_visibility_name_lower_id", "ix_membership_user_id_group_id"
MEMBERS, MEMBERS_BY_ROLE = "pk_membership", "ix_membership_group_id_role_user_id"


async def public(db: Session, _: User, query: GroupQuery) -> Any:
    return await GroupManager(db).list(None, query)


async def visible(db: Session, user: User, query: GroupQuery) -> Any:
    return await GroupManager(db).list(user, query)


async def own(db: Session, user: User, query: OwnGroupQuery) -> Any:
    return await GroupManager(db).of_user(user, query)


async def members(db: Session, _: User, query: MemberQuery) -> Any:
    return await member_list.list_members(await reader(db), 1, query)


async def addresses(db: Session, user: User, query: MemberQuery) -> Any:
    user.is_superuser = True
    db.add(user)
    await db.flush()
    _, token = await SessionManager(db, get_settings()).start(user, SessionKind.BEARER, BY_PASSWORD)
    return await member_list.list_members(await reader(db, Claims(user.id, token.session_id)), 1, query)


async def reader(db: Session, claims: Claims | None = None) -> FastReader:
    connection = await db.connection()
    same = async_sessionmaker(connection, class_=Session, join_transaction_mode="create_savepoint")
    return FastReader(same_connection(same), claims, get_settings().session_idle)


PLANS: list[tuple[Listing, PageQuery, str, set[str]]] = [
    (public, GroupQuery(), "1 a", {BY_NAME}),
    (public, GroupQuery(name="a"), "1 a", {BY_NAME}),
    (public, GroupQuery(visibility=Visibility.PUBLIC), "1 a", {BY_NAME}),
    (visible, GroupQuery(), "1 a", {BY_NAME, OWN}),
    (visible, GroupQuery(name="a"), "1 a", {BY_NAME, OWN}),
    (visible, GroupQuery(visibility=Visibility.PRIVATE), "1 a", {OWN}),
    (own, OwnGroupQuery(), "1", {OWN}),
    (own, OwnGroupQuery(role=Role.OWNER), "1", {OWN}),
    (members, MemberQuery(), SOME_ID, {MEMBERS}),
    (members, MemberQuery(role=Role.ADMIN), SOME_ID, {"membership"}),  # of two that cost the same among few
    (members, MemberQuery(name="a"), f"{SOME_ID} a", {"ix_user_display_name_lower_id", "membership"}),
    (members, MemberQuery(name="a", role=Role.ADMIN), f"{SOME_ID} a", {"ix_user_display_name_lower_id", "membership"}),
    (addresses, MemberQuery(email="a"), "a@b", {"uq_user_email_lower", "membership"}),
]
CROWD = (
    "INSERT INTO user_group (id, name, visibility) SELECT i, 'Group ' || i, 'public' FROM generate_series(1, 3001) i",
    """INSERT INTO "user" (id, email, display_name, hashed_password, is_active, is_superuser, is_verified)
    SELECT uuidv7(), 'a' || i, 'a' || i, '', true, false, false FROM generate_series(1, 3000) i""",
    "INSERT INTO membership SELECT 1, id, CASE email WHEN 'a1' THEN 'owner' ELSE 'member' END FROM \"user\"",
    "INSERT INTO membership SELECT substr(email, 2)::int + 1, id, 'owner' FROM \"user\"",
    'ANALYZE membership, user_group, "user"',
)
WAYS = {"first": None, "next": ">{}", "prev": "<{}", "last": "<"}


def name_of(listing: Listing, query: PageQuery) -> str:
    return "-".join([listing.__name__, *query.model_dump(exclude_unset=True)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("listing", "query", "key", "indexes"), PLANS, ids=[name_of(*row[:2]) for row in PLANS])
async def test_list_is_read_from_an_index(
    world: World, listing: Listing, query: PageQuery, key: str, indexes: set[str], way: str
) -> None:
    """Among few rows a scan is cheaper, so scans are disabled here."""
    arthur = await world.user("arthur")
    await world.sql("INSERT INTO user_group (id, name, visibility) VALUES (1, 'a', 'public')")
    await world.sql('INSERT INTO membership SELECT 1, id FROM "user"')
    side = WAYS[way]
    cursor = side and urlsafe_b64encode(side.format(key).encode()).decode()
    disabled = ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin", "material")

    plan = await plan_of(world, listing, arthur, query.model_copy(update={"cursor": cursor}), disabled)

    assert all(index in plan for index in indexes), plan
    assert "Seq Scan" not in plan
    assert listing in {public, visible} or "Sort" not in plan  # those sort two pages, of public and of own groups


@pytest.mark.parametrize("query", [{}, {"name": "a"}, {"email": "a"}], ids=str)
async def test_search_for_owners_by_name_does_not_read_all_users_of_the_name(
    busy_world: World, query: dict[str, Any]
) -> None:
    """One user owns the largest group, and every user another one: by statistics alone there are thousands of owners.

    In a database of its own, because a rollback does not undo ANALYZE.
    """
    for statement in CROWD:
        await busy_world.sql(statement)
    arthur = await busy_world.user("arthur")

    plan = await plan_of(busy_world, addresses, arthur, MemberQuery(role=Role.OWNER, **query))

    assert re.findall(r"using (\w+) on \"?user", plan) == ["pk_user"], plan
    assert MEMBERS_BY_ROLE in plan


async def plan_of(world: World, listing: Listing, user: User, query: PageQuery, disabled: tuple[str, ...] = ()) -> str:
    """Explain the last statement of a list, with some kinds of plans disabled where there is another."""
    async with transaction(world.sessionmaker) as db:
        connection = await db.connection()
        for each in disabled:
            await connection.execute(text(f"SET LOCAL enable_{each} = off"))
        async with recorded_statements(db) as run:
            await listing(db, user, query)
        statement, values = run[-1]
        return str((await connection.exec_driver_sql(f"EXPLAIN {statement}", values)).all())
