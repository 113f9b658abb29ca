"""Imports of members that a page stores, and the worker's side of them."""

from typing import Any

from sqlalchemy import text

from accounts.db.session import transaction
from accounts.domain.bulk import BulkWork
from accounts.domain.member_imports.running import MemberImportRunner
from accounts.models import MemberImport, User, UserGroup
from support.account_pages import enter
from support.people import World

FILE = b"email,role,note\nlot@example.com,admin,\nban@example.com,,A seat\nbors@camelot.example.com,admin,\n"


def runner_of(world: World) -> MemberImportRunner:
    """Return the runner of a worker beside the API."""
    return MemberImportRunner(BulkWork(world.sessionmaker), world.sessionmaker, world.connect, world.state["settings"])


async def store_import(
    world: World, group: UserGroup, actor: User, content: bytes = FILE, name: str = "knights.csv", **headers: str
) -> int:
    """Send a file on the page, and return the id of the import."""
    headers |= {"Cookie": await enter(world, actor.email)}
    files = {"file": (name, content, "text/csv")}
    path = f"/account/groups/{group.id}/import"
    sent = await world.client.post(path, files=files, data={"step": "import"}, headers=headers)
    assert sent.status_code == 303, sent.text
    return int(sent.headers["location"].rpartition("/")[2])


async def run_imports(world: World) -> None:
    """Run all imports that have not ended, as the worker does."""
    runner, last = runner_of(world), 0
    while found := await runner.find(last):
        await runner.run(found)
        last = found.id


async def stored(world: World, import_id: int) -> MemberImport:
    """Return an import as it is stored."""
    async with transaction(world.sessionmaker) as db:
        return await db.get_one(MemberImport, import_id)


async def value_of(world: World, query: str) -> Any:
    """Return the one value of a query, on a connection of its own if the world has several."""
    async with transaction(world.sessionmaker) as db:
        return (await (await db.connection()).execute(text(query))).scalar_one()
