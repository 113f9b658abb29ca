"""Each list of groups and members follows an index, both ways: so it costs the same at a million rows."""

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from accounts.database import Session, transaction
from accounts.domain import roster
from accounts.domain.groups import GroupManager
from accounts.models import Role, User, Visibility
from accounts.schemas.group import GroupQuery, MemberQuery, OwnGroupQuery
from accounts.schemas.page import PageQuery
from people import World

SOME_ID = "01999999-9999-7999-8999-999999999999"
Listing = Callable[[Session, User, Any], Awaitable[Any]]
BY_NAME, OWN = "ix_user_group_visibility_name_lower_id", "ix_membership_user_id_group_id"
MEMBERS, MEMBERS_BY_ROLE = "pk_membership", "ix_membership_group_id_role_user_id"


async def public(session: Session, _: User, query: GroupQuery) -> Any:
    return await GroupManager(session).list(None, query)


async def visible(session: Session, user: User, query: GroupQuery) -> Any:
    return await GroupManager(session).list(user, query)


async def own(session: Session, user: User, query: OwnGroupQuery) -> Any:
    return await GroupManager(session).of_user(user, query)


async def members(session: Session, _: User, query: MemberQuery) -> Any:
    return await roster.members(session, 1, None, query)


async def addresses(session: Session, user: User, query: MemberQuery) -> Any:
    return await roster.members(session, 1, user, query)


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
    (members, MemberQuery(role=Role.ADMIN), SOME_ID, {MEMBERS_BY_ROLE}),
    (members, MemberQuery(name="a"), f"{SOME_ID} a", {"ix_user_display_name_lower_id", "membership"}),
    (members, MemberQuery(name="a", role=Role.ADMIN), f"{SOME_ID} a", {"ix_user_display_name_lower_id", "membership"}),
    (addresses, MemberQuery(email="a"), "a@b", {"uq_user_email_lower", "membership"}),
]
WAYS = {"first": None, "next": ">{}", "prev": "<{}", "last": "<"}


def name_of(listing: Listing, query: PageQuery) -> str:
    return "-".join([listing.__name__, *query.model_dump(exclude_unset=True)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("listing", "query", "key", "indexes"), PLANS, ids=[name_of(*row[:2]) for row in PLANS])
async def test_each_list_follows_an_index(
    world: World, engine: AsyncEngine, listing: Listing, query: PageQuery, key: str, indexes: set[str], way: str
) -> None:
    """Among few rows a scan is cheaper, and is forbidden here."""
    arthur = await world.user("arthur")
    await world.sql("INSERT INTO user_group (id, name, visibility) VALUES (1, 'a', 'public')")
    await world.sql('INSERT INTO membership SELECT 1, id FROM "user"')
    run: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        run.append((arguments[2], arguments[3]))

    side = WAYS[way]
    cursor = side and urlsafe_b64encode(side.format(key).encode()).decode()
    async with transaction(world.sessionmaker) as session:
        connection = await session.connection()
        for dearer in ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin", "material"):
            await connection.execute(text(f"SET LOCAL enable_{dearer} = off"))
        event.listen(engine.sync_engine, "before_cursor_execute", note)
        await listing(session, arthur, query.model_copy(update={"cursor": cursor}))
        event.remove(engine.sync_engine, "before_cursor_execute", note)
        statement, values = run[-1]
        plan = str((await connection.exec_driver_sql(f"EXPLAIN {statement}", values)).all())

    assert all(index in plan for index in indexes), plan
    assert "Seq Scan" not in plan
    assert listing in {public, visible} or "Sort" not in plan  # those sort two pages, of public and of own groups
