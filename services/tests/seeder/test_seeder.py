"""Seeder: sample data is created once, completely or not at all; a seed reproduces its volume data."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlmodel import func, select

from accounts.commands import run
from accounts.db.session import Sessionmaker, transaction
from accounts.domain.sample_users.published_password import EMAILS, FIRST_VOLUME_ID, LAST_VOLUME_ID, PASSWORD
from accounts.models import Membership, Role, User, UserGroup, Visibility
from accounts.seeder import __main__ as seeder
from accounts.seeder import volume
from accounts.seeder.batch import Batch
from accounts.seeder.sample import PEOPLE, SUPERUSER
from accounts.settings import Environment, Settings
from support.people import SCHEMA_OWNER, World
from support.waiting import PATIENCE, eventually

BATCH = Batch(users=100, seed=1)
Main = Callable[..., Awaitable[None]]


async def rows(sessionmaker: Sessionmaker) -> list[Any]:
    """All stored rows, including timestamps."""
    async with transaction(sessionmaker) as db:
        tables = ('"user"', "user_group", "membership")
        return [(await db.exec(text(f"SELECT * FROM {table} ORDER BY 1, 2"))).all() for table in tables]  # type: ignore[call-overload]  # noqa: S608


async def counts(sessionmaker: Sessionmaker) -> tuple[int, ...]:
    return tuple(map(len, await rows(sessionmaker)))


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, fresh_settings: Settings, owned_database: str) -> Main:
    """The command, on the database of ``busy_world``, whose owner may analyse it."""
    settings = fresh_settings.model_copy(update={"database_url": SecretStr(owned_database)})
    for module in (run, seeder):
        monkeypatch.setattr(module, "get_settings", lambda: settings)
    return lambda *argv: asyncio.to_thread(seeder.main, argv)


# Sample data


@pytest.fixture
async def world(world: World) -> World:
    """A world whose database is the owner's, as the seeder connects, until the transaction is rolled back."""
    async with transaction(world.sessionmaker) as db:
        await (await db.connection()).execute(text(f"SET ROLE {SCHEMA_OWNER}"))
    return world


async def test_users_of_group_1_are_public(busy_world: World, main: Main) -> None:
    await main()

    response = await busy_world.client.get("/user-groups/1/users")
    assert [each["display_name"] for each in response.json()] == ["Arthur Pendragon", "Guinevere"]
    groups = (await busy_world.client.get("/user-groups")).json()
    assert [(each["id"], each["name"]) for each in groups] == [(1, "Admin"), (2, "Developer"), (3, "Guest")]


async def test_printed_password_signs_in(busy_world: World, main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    await main("--users", "10")

    output = capsys.readouterr().out
    assert "6 users, 3 groups, 9 memberships" in output
    assert f"-d username={SUPERUSER} -d password={PASSWORD}" in output
    emails = {word for word in output.split() if word.endswith("example.com") and "=" not in word}
    assert len(emails) == 7
    for email in emails:
        await busy_world.sign_in(email, PASSWORD)


async def test_output_names_the_superuser_and_the_command_that_removes_the_users(
    busy_world: World, main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    await main()

    output = capsys.readouterr().out
    assert f"{SUPERUSER} is a superuser" in output
    assert "make admin ARGS=remove-sample-users" in output
    assert (await busy_world.client.get("/users", headers=await busy_world.sign_in(SUPERUSER, PASSWORD))).is_success


def test_sample_and_volume_users_are_those_whom_production_looks_for() -> None:
    assert tuple(person.email for person in PEOPLE) == EMAILS
    assert all(FIRST_VOLUME_ID < user_id < LAST_VOLUME_ID for user_id in BATCH.user_ids())


async def test_second_run_creates_nothing(world: World) -> None:
    await seeder.seed(world.sessionmaker, None)
    before = await rows(world.sessionmaker)

    again, _ = await seeder.seed(world.sessionmaker, None)

    assert again.created.total() == 0
    assert "nothing was created" in seeder.describe(again.created)
    assert await rows(world.sessionmaker) == before


async def test_only_missing_rows_are_created(world: World) -> None:
    await seeder.seed(world.sessionmaker, None)
    async with transaction(world.sessionmaker) as db:
        await db.delete(await db.get_one(UserGroup, 3))
        admin = await db.get_one(UserGroup, 1)
        admin.name, admin.visibility = "ADMIN", Visibility.PRIVATE
        arthur = (await db.exec(select(User).where(User.email == SUPERUSER))).one()
        arthur.display_name, arthur.is_superuser = "The King", False
        membership = await db.get_one(Membership, (1, arthur.id))
        membership.role = Role.MEMBER

    again, _ = await seeder.seed(world.sessionmaker, None)

    assert seeder.describe(again.created) == "Created sample data: 1 group, 3 memberships."
    assert again.group_ids == {"Admin": 1, "Developer": 2, "Guest": 3}
    async with transaction(world.sessionmaker) as db:
        admin = await db.get_one(UserGroup, 1)
        arthur = await db.get_one(User, arthur.id)
        assert (admin.name, admin.visibility) == ("ADMIN", "private")
        assert (arthur.display_name, arthur.is_superuser) == ("The King", False)
        assert (await db.get_one(Membership, (1, arthur.id))).role == "member"


async def test_other_ids_are_used_if_the_sample_ids_are_taken(busy_world: World, main: Main) -> None:
    mine = [await busy_world.group(name) for name in ("One", "Two", "Three")]
    assert [group.id for group in mine] == [1, 2, 3]

    await main()

    async with transaction(busy_world.sessionmaker) as db:
        found = (await db.exec(select(UserGroup.id, UserGroup.name).order_by(UserGroup.name))).all()
    assert found == [(4, "Admin"), (5, "Developer"), (6, "Guest"), (1, "One"), (3, "Three"), (2, "Two")]


async def test_identity_never_issues_a_sample_id(busy_world: World, main: Main) -> None:
    async with transaction(busy_world.sessionmaker) as db:
        db.add(UserGroup(id=7, name="Admin"))  # with an explicit id, so the identity stays at its start

    await main()

    assert (await busy_world.group("Next")).id == 4


async def test_failure_leaves_no_rows_and_consumes_no_ids(
    busy_world: World, main: Main, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> bool:
        raise ConnectionResetError("gone")

    monkeypatch.setattr(volume, "create", fail)
    with pytest.raises(SystemExit, match=r"^seeder: gone$"):
        await main("--users", "10")
    assert await counts(busy_world.sessionmaker) == (0, 0, 0)

    data, _ = await seeder.seed(busy_world.sessionmaker, None)
    assert data.group_ids == {"Admin": 1, "Developer": 2, "Guest": 3}
    assert (await busy_world.group("Next")).id > 3


async def test_concurrent_runs_create_the_data_once(
    busy_world: World, main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    async with transaction(busy_world.sessionmaker) as db:
        await db.exec(select(func.pg_advisory_xact_lock(seeder.LOCK_KEY)))
        both = [asyncio.ensure_future(main("--users", "10")) for _ in range(2)]
        messages: list[str] = []

        def both_wait() -> bool:
            messages.append(capsys.readouterr().err)
            return "".join(messages).count("waiting") == 2

        await eventually("both seeders wait for the lock", both_wait)
    await asyncio.gather(*both)

    users, groups, _ = await counts(busy_world.sessionmaker)
    assert (users, groups) == (6 + 10, 3 + 2)


async def test_seeder_is_refused_in_production(monkeypatch: pytest.MonkeyPatch, fresh_settings: Settings) -> None:
    production = fresh_settings.model_copy(update={"environment": Environment.PRODUCTION})
    monkeypatch.setattr(seeder, "get_settings", lambda: production)

    with pytest.raises(SystemExit, match=r"^seeder: .*requires ENVIRONMENT=development$"):
        seeder.main([])


@pytest.mark.parametrize(
    "argv", [("--users", "0"), ("--users", "10000001"), ("--users", "many"), ("--users", "1", "--seed", "-1")]
)
def test_numbers_are_bounded(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        seeder.parse(argv)
    assert "is not a whole number from" in capsys.readouterr().err


def test_seed_requires_users(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        seeder.parse(["--seed", "2"])
    assert "--seed requires --users" in capsys.readouterr().err


# Volume data


async def test_batch_is_created_once(world: World) -> None:
    _, new = await seeder.seed(world.sessionmaker, BATCH)
    before = await rows(world.sessionmaker)
    assert new
    assert tuple(map(len, before))[:2] == (6 + 100, 3 + 1 + 10)

    _, new = await seeder.seed(world.sessionmaker, BATCH)
    assert not new
    assert await rows(world.sessionmaker) == before

    _, new = await seeder.seed(world.sessionmaker, Batch(users=100, seed=2))
    assert new
    assert (await counts(world.sessionmaker))[:2] == (6 + 200, 3 + 22)


async def test_stored_memberships_are_the_generated_ones(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "ROWS_PER_COPY", 10)

    await seeder.seed(world.sessionmaker, BATCH)

    async with transaction(world.sessionmaker) as db:
        everybody = (await db.exec(select(UserGroup).where(UserGroup.name == BATCH.everybody))).one()
        group_ids = range(everybody.id, everybody.id + 1 + BATCH.groups)
        statement = select(Membership.group_id, Membership.user_id, Membership.role)
        stored = (await db.exec(statement.where(Membership.group_id >= everybody.id))).all()
    assert sorted(stored) == sorted(BATCH.membership_rows(group_ids))


async def test_two_databases_get_the_same_rows(world: World, busy_world: World) -> None:
    for each in (world, busy_world):
        async with each.owner() as db:
            await volume.create(db, BATCH)

    one, two = [(await rows(each.sessionmaker))[0] for each in (world, busy_world)]
    timeless = [[(*row[:6], row.id) for row in users] for users in (one, two)]
    assert timeless[0] == timeless[1]
    assert [user.hashed_password for user in one] == [user.hashed_password for user in two]


@pytest.mark.slow
async def test_every_process_generates_the_same_rows() -> None:
    program = "from accounts.seeder.batch import Batch; b = Batch(50, 7)\n"
    program += "print([*b.user_rows('x'), *b.group_rows(range(6)), *b.membership_rows(range(6))])"
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=PIPE, env=environment)
    output, _ = await process.communicate()

    batch, ids = Batch(50, 7), range(6)
    here = [*batch.user_rows("x"), *batch.group_rows(ids), *batch.membership_rows(ids)]
    assert output.decode().strip() == str(here)


@pytest.mark.parametrize("users", [1, 2, 9, 10, 99, 1000])
def test_batch_is_consistent(users: int) -> None:
    batch = Batch(users, seed=3)
    ids = list(batch.user_ids())
    rows = list(batch.user_rows("x"))
    group_ids = range(10, 11 + batch.groups)
    memberships = list(batch.membership_rows(group_ids))

    assert ids == sorted(set(ids))
    assert {(each.version, each.variant) for each in ids} == {(7, "specified in RFC 4122")}
    assert len({email for _, email, *_ in rows}) == users
    assert all(email == email.lower() and email.isascii() for _, email, *_ in rows)
    assert len(list(batch.group_rows(group_ids))) == len({name for _, name, *_ in batch.group_rows(group_ids)})
    assert [user_id for group_id, user_id, _ in memberships if group_id == 10] == ids
    assert [group_id for group_id, _, role in memberships if role is Role.OWNER and group_id > 10] == [*group_ids[1:]]
    assert len({row[:2] for row in memberships}) == len(memberships)
    assert users < 1000 or 1.8 < len(memberships) / users < 2.2


def test_batches_have_no_rows_in_common() -> None:
    batches = Batch(50, 1), Batch(50, 2), Batch(51, 1)
    one, two, three = [{value for row in batch.user_rows("") for value in row[:2]} for batch in batches]
    assert not one & two
    assert not one & three


STEPS = [
    f"user: {BATCH.users} rows",
    f"user_group: {BATCH.groups + 1} rows",
    "staged: 180 rows",
    "membership: inserting the rows, group by group",
    "updating the database's statistics",
]


async def test_progress_bar_is_shown_on_a_terminal(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    await seeder.seed(world.sessionmaker, BATCH)
    output = capsys.readouterr().err
    assert "%|" in output
    assert [line.rpartition("\r")[2] for line in output.split("\n")[:-1]] == STEPS


async def test_each_step_is_a_line_without_a_terminal(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    await seeder.seed(world.sessionmaker, BATCH)
    assert capsys.readouterr().err.splitlines() == STEPS


async def test_conflicting_row_rolls_everything_back(busy_world: World, main: Main) -> None:
    *_, (_, email, *_) = BATCH.user_rows("")
    async with transaction(busy_world.sessionmaker) as db:
        db.add(User(email=email, hashed_password="none"))

    with pytest.raises(SystemExit, match=r"^seeder: duplicate key value .*uq_user_email_lower.*$"):
        await main("--users", str(BATCH.users))

    assert await counts(busy_world.sessionmaker) == (1, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "status", "output"),
    [
        (signal.SIGINT, 130, "seeder: interrupted; nothing was changed"),
        (signal.SIGTERM, -15, ""),
        (signal.SIGKILL, -9, ""),
    ],
)
async def test_interrupted_run_leaves_no_rows(
    busy_world: World, owned_database: str, sent: signal.Signals, status: int, output: str
) -> None:
    command = [sys.executable, "-m", "accounts.seeder", "--users", "100000"]
    environment = os.environ | {"DATABASE_URL": owned_database}
    process = await asyncio.create_subprocess_exec(
        *command,
        stderr=PIPE,
        stdout=PIPE,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's & ignores it
    )
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        while not (line := await process.stderr.readline()).startswith(b"user_group: "):
            assert line.startswith(b"user: "), line  # the memberships take seconds
        process.send_signal(sent)
        _, rest = await process.communicate()

    assert (process.returncode, rest.decode().strip()) == (status, output)
    assert await counts(busy_world.sessionmaker) == (0, 0, 0)
