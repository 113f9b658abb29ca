"""Exports and imports at the same time as other changes, over slow connections, and over connections that break."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, func, select
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from accounts.api import downloads
from accounts.api.http_protocol import Protocol
from accounts.db.session import Session, transaction
from accounts.domain.groups import member_export
from accounts.models import Membership, Role, User, UserGroup
from accounts.schemas.member_files import MemberExport
from accounts.schemas.pagination import Page, PageQuery
from support.member_files import DOMAIN, NOTHING, import_members, invited, members, user_named
from support.people import World
from support.waiting import eventually


@pytest.fixture
async def hall(busy_world: World) -> UserGroup:
    arthur = await busy_world.user("arthur", superuser=True)
    others = {await busy_world.user(f"knight{number}"): Role.MEMBER for number in range(20)}
    await busy_world.group("Others", members={arthur: Role.OWNER, **others})
    return await busy_world.group("Hall", members={arthur: Role.OWNER})


CONTENT = "email\n" + "".join(f"knight{number}@{DOMAIN}\nnew{number}@example.com\n" for number in range(20))


async def test_of_concurrent_imports_into_a_group_one_is_done_and_the_others_are_refused(
    busy_world: World, hall: UserGroup
) -> None:
    arthur = await user_named(busy_world, "arthur")

    answers = await asyncio.gather(*(import_members(busy_world, hall, arthur, CONTENT) for _ in range(3)))

    assert sum(answer.status_code == 200 for answer in answers) >= 1
    for answer in answers:
        if answer.status_code != 200:
            assert answer.json()["detail"] in {"IMPORT_IN_PROGRESS", "BUSY"}
            assert int(answer.headers["Retry-After"]) > 0
    assert sum(answer.json().get("added", 0) for answer in answers) == 20
    assert len(await members(busy_world, hall)) == 21
    assert len(await invited(busy_world, hall)) == 20 == len(await busy_world.tokens())


async def test_member_can_be_removed_during_an_import(busy_world: World, hall: UserGroup) -> None:
    arthur = await user_named(busy_world, "arthur")
    headers = await busy_world.sign_in(arthur)
    paths = [f"/user-groups/{hall.id}/users/{(await user_named(busy_world, f'knight{n}')).id}" for n in range(8)]
    await import_members(busy_world, hall, arthur, CONTENT)

    answers = await asyncio.gather(
        import_members(busy_world, hall, arthur, CONTENT),
        *(busy_world.client.delete(path, headers=headers) for path in paths),
    )

    assert [answer.status_code for answer in answers] == [200] + [204] * 8
    async with transaction(busy_world.sessionmaker) as db:
        count = await db.scalar(select(func.count()).where(col(Membership.group_id) == hall.id))
        assert count == 13 + answers[0].json()["added"]
        assert (await db.get_one(UserGroup, hall.id)).member_count == count


async def test_import_does_not_wait_for_a_user_who_is_being_deleted(busy_world: World, hall: UserGroup) -> None:
    arthur, knight = await user_named(busy_world, "arthur"), await user_named(busy_world, "knight0")
    async with transaction(busy_world.sessionmaker) as db:
        await db.exec(select(User).where(col(User.id) == knight.id).with_for_update())
        response = await import_members(busy_world, hall, arthur, CONTENT)

    assert response.json() == {"dry_run": False} | NOTHING | {"added": 19, "invited": 21}


async def test_slow_upload_holds_no_database_connection(busy_world: World, hall: UserGroup) -> None:
    pool = pool_of(busy_world)
    held = []

    async def slowly() -> AsyncIterator[bytes]:
        for line in CONTENT.splitlines(keepends=True):
            held.append(pool.checkedout())
            yield line.encode()

    response = await import_members(busy_world, hall, await user_named(busy_world, "arthur"), slowly())

    assert response.json()["added"] == 20
    assert set(held[1:]) == {0}
    assert pool.checkedout() == 0


@pytest.mark.parametrize("format", ["csv", "json"])
async def test_client_that_disconnects_during_an_export_leaves_nothing_behind(
    busy_world: World, hall: UserGroup, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    """Also while a statement for the next page is running."""
    arrived = asyncio.Event()

    async def stuck(db: Session, query: PageQuery, group_id: int) -> Page[MemberExport]:
        if query.cursor:
            arrived.set()
            await (await db.connection()).execute(text("SELECT pg_sleep(60)"))
        return await member_export.export_page(db, query, group_id)

    monkeypatch.setattr(downloads, "BATCH_ROWS", 5)
    monkeypatch.setattr(downloads, "CHUNK_BYTES", 1)
    monkeypatch.setattr("accounts.api.routes.groups.member_files.member_export", SimpleNamespace(export_page=stuck))
    for number in range(10):
        await busy_world.join(hall.id, await user_named(busy_world, f"knight{number}"), Role.MEMBER)
    head = f"GET /user-groups/{hall.id}/users/export?format={format} HTTP/1.1"

    async with connection(busy_world, head) as (reader, _):
        await reader.readuntil(b"knight")
        await eventually("the second page is read", arrived.is_set)
        assert pool_of(busy_world).checkedout() == 1

    assert pool_of(busy_world).checkedout() == 0


async def test_client_that_disconnects_during_an_import_leaves_nothing_behind(
    busy_world: World, hall: UserGroup, caplog: pytest.LogCaptureFixture
) -> None:
    head = f"POST /user-groups/{hall.id}/users/import HTTP/1.1\r\nContent-Type: text/csv\r\nContent-Length: 999"

    async with connection(busy_world, head) as (_, writer):
        writer.write(b"email\na@example.com\n")
        await asyncio.sleep(0.2)

    assert pool_of(busy_world).checkedout() == 0
    assert await invited(busy_world, hall) == set()
    assert not [record for record in caplog.records if record.exc_info]


def pool_of(world: World) -> Any:
    return world.sessionmaker.kw["bind"].pool


@asynccontextmanager
async def connection(world: World, head: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to a real server, and send the head of a request as Arthur."""
    headers = await world.sign_in(await user_named(world, "arthur"))

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await world.app({**scope, "state": dict(world.state)}, receive, send)

    config = Config(asgi, log_config=None, lifespan="off", proxy_headers=False)
    state = ServerState()
    serve = lambda: Protocol(config, state, {})  # noqa: E731  # what create_server calls
    async with await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0) as listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        lines = [head, "Host: testserver", f"Authorization: {headers['Authorization']}", "", ""]
        writer.write("\r\n".join(lines).encode())
        yield reader, writer
        writer.transport.abort()
        await asyncio.wait(state.tasks, timeout=5)
        assert not state.tasks
