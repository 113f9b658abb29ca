"""The worker runs imports of members: at once, in turns, and without holding up others."""

import asyncio
from pathlib import Path

import pytest

from accounts.domain.member_imports.progress import Progress
from accounts.models import ImportStatus, Role, User, UserGroup
from accounts.settings import Settings
from accounts.worker import member_imports as imports_module
from accounts.worker.member_imports import BLOCKED_SECONDS, POLL_SECONDS, MemberImports
from accounts.worker.transports import Folder
from accounts.worker.worker import Worker
from support.member_files import invited
from support.member_imports import store_import, stored
from support.people import World
from support.waiting import PATIENCE, eventually


@pytest.fixture
async def kay(busy_world: World) -> User:
    return await busy_world.user("kay", is_verified=True)


@pytest.fixture
async def groups(busy_world: World, kay: User) -> list[UserGroup]:
    return [await busy_world.group(name, members={kay: Role.ADMIN}) for name in ("Round Table", "Grail")]


@pytest.fixture
def imports(busy_world: World) -> MemberImports:
    return MemberImports(busy_world.sessionmaker, busy_world.connect, busy_world.state["settings"])


async def status(world: World, import_id: int) -> ImportStatus:
    return (await stored(world, import_id)).status


async def test_commit_wakes_the_worker_which_imports_and_stops(
    busy_world: World,
    groups: list[UserGroup],
    kay: User,
    fresh_settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(imports_module, "POLL_SECONDS", 3600)  # polling alone would find the second one too late
    worker = Worker(fresh_settings, Folder(tmp_path))
    first = await store_import(busy_world, groups[0], kay)
    running = asyncio.create_task(worker.run())

    async def finished(import_id: int) -> bool:
        return await status(busy_world, import_id) == ImportStatus.FINISHED

    await eventually("the import that was stored before is finished", lambda: finished(first))
    second = await store_import(busy_world, groups[1], kay)
    await eventually("the import that is stored meanwhile is finished", lambda: finished(second))
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)

    assert len(await invited(busy_world, groups[0])) == len(await invited(busy_world, groups[1])) == 3


async def test_import_that_fails_delays_no_other_and_is_tried_again(
    busy_world: World,
    groups: list[UserGroup],
    kay: User,
    imports: MemberImports,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = [await store_import(busy_world, group, kay) for group in groups]

    async def away(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "write", away)
        with pytest.raises(ConnectionResetError):
            await imports.run_next()
    assert await imports.run_next() == 0

    assert await status(busy_world, first) == ImportStatus.WAITING
    assert await status(busy_world, second) == ImportStatus.FINISHED
    assert [await imports.run_next() for _ in range(3)] == [POLL_SECONDS, 0, POLL_SECONDS]
    assert await status(busy_world, first) == ImportStatus.FINISHED


async def test_import_waits_shortly_for_another_one_of_the_user(
    busy_world: World, groups: list[UserGroup], kay: User, imports: MemberImports
) -> None:
    import_id = await store_import(busy_world, groups[0], kay)

    async with busy_world.state["bulk"].transaction(None, f"import by {kay.id}"):
        assert [await imports.run_next() for _ in range(2)] == [0, BLOCKED_SECONDS]
    assert await status(busy_world, import_id) == ImportStatus.WAITING

    assert await imports.run_next() == 0
    assert await status(busy_world, import_id) == ImportStatus.FINISHED
