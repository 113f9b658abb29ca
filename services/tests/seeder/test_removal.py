"""Removal of sample and volume users: everything with the published password, and nothing that people use."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
from pydantic import SecretStr
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from accounts.commands import admin, run
from accounts.commands.production import REFUSAL, refuse_published_password
from accounts.db.session import transaction
from accounts.domain.sample_users.published_password import CANDIDATES, PASSWORD, find_hashes
from accounts.models import AuditEvent, MailKind, Membership, Role, User, UserGroup
from accounts.models.identity import service_email
from accounts.seeder import __main__ as seeder
from accounts.seeder.batch import Batch
from accounts.seeder.sample import SUPERUSER
from accounts.settings import Environment, Settings
from support.gunicorn import gunicorn
from support.people import PASSWORD as OTHER_PASSWORD
from support.people import World
from support.processes import environment, free_port, python
from support.schema import plan_without_scans

BATCH = Batch(users=30, seed=1)
CHANGE = "UPDATE \"user\" SET {} WHERE email = '{}'"
KING = "king@camelot.example.com"
Command = Callable[[], Awaitable[str]]


@pytest.fixture
async def remove(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fresh_settings: Settings,
    owned_database: str,
) -> Command:
    """The command, in production, on a database with sample and volume data. It returns what it prints."""
    settings = fresh_settings.model_copy(update={"database_url": SecretStr(owned_database)})
    production = settings.model_copy(update={"environment": Environment.PRODUCTION})
    for module in (run, admin, seeder):
        monkeypatch.setattr(module, "get_settings", lambda: settings)
    await asyncio.to_thread(seeder.main, ["--users", str(BATCH.users)])

    async def command() -> str:
        capsys.readouterr()
        for module in (run, admin):
            monkeypatch.setattr(module, "get_settings", lambda: production)
        await asyncio.to_thread(admin.main, ["remove-sample-users"])
        return capsys.readouterr().out

    return command


async def emails(world: World) -> set[str]:
    async with transaction(world.sessionmaker) as db:
        return set((await db.exec(select(User.email))).all())


async def found(world: World) -> int:
    async with transaction(world.sessionmaker) as db:
        return len(await find_hashes(db))


async def test_users_and_their_groups_are_deleted(busy_world: World, remove: Command) -> None:
    knight = await busy_world.user("lancelot")
    group = await busy_world.group("Real", members={knight: Role.OWNER})
    assert await found(busy_world) == 6 + 1

    output = await remove()

    assert output.startswith(
        "Deleted 36 sample users and 7 groups that had no other members. Groups with a new owner: 0."
    )
    assert output.endswith("No superuser is left: make superuser EMAIL=me@example.com\n")
    assert (await emails(busy_world), await found(busy_world)) == ({knight.email}, 0)
    async with transaction(busy_world.sessionmaker) as db:
        assert (await db.exec(select(UserGroup.id))).all() == [group.id]
        assert (await db.exec(select(Membership.user_id))).all() == [knight.id]
        event = (await db.exec(select(AuditEvent).order_by(col(AuditEvent.id).desc()).limit(1))).one()
    assert (event.action, event.detail) == ("sample_users.deleted", {"users": 36, "groups": 7})
    assert "Deleted 0 sample users and 0 groups" in await remove()


async def test_users_who_changed_their_password_are_kept(busy_world: World, remove: Command) -> None:
    hashed = await busy_world.passwords.hash(OTHER_PASSWORD)
    *_, (_, volume_user, *_) = BATCH.user_rows("")
    for email in (SUPERUSER, volume_user):
        await busy_world.sql(CHANGE.format(f"hashed_password = '{hashed}'", email))

    output = await remove()

    assert output.startswith("Deleted 34 sample users")
    assert "No superuser is left" not in output
    assert await emails(busy_world) == {SUPERUSER, volume_user}
    await busy_world.sign_in(SUPERUSER, OTHER_PASSWORD)


async def test_groups_with_other_members_get_a_new_owner_who_is_notified(busy_world: World, remove: Command) -> None:
    first, second, admin_user = [await busy_world.user(name) for name in ("bors", "kay", "bedivere")]
    inactive = await busy_world.user("elaine", is_active=False)
    for group_id, members in (
        (1, {first: Role.MEMBER, inactive: Role.OWNER}),
        (2, {first: Role.MEMBER, second: Role.MEMBER, admin_user: Role.ADMIN}),
        (3, {second: Role.OWNER, first: Role.ADMIN}),
    ):
        for user, role in members.items():
            await busy_world.join(group_id, user, role)

    output = await remove()

    assert "4 groups that had no other members. Groups with a new owner: 2." in output
    async with transaction(busy_world.sessionmaker) as db:
        owners = (await db.exec(select(Membership).where(col(Membership.role) == Role.OWNER))).all()
        counts = (await db.exec(select(UserGroup.id, UserGroup.member_count).order_by(col(UserGroup.id)))).all()
    assert {(each.group_id, each.user_id) for each in owners} == {
        (1, first.id), (1, inactive.id), (2, admin_user.id), (3, second.id),
    }  # fmt: skip
    assert counts == [(1, 2), (2, 3), (3, 2)]
    mails = await busy_world.mails(MailKind.ROLE_CHANGED)
    assert [(mail.email, mail.detail["group_name"], mail.detail["was"]) for mail in mails] == [
        (first.email, "Admin", "member"), (admin_user.email, "Developer", "admin"),
    ]  # fmt: skip


async def test_group_whose_other_members_are_inactive_is_reported_and_nothing_changes(
    busy_world: World, remove: Command
) -> None:
    await busy_world.join(2, await busy_world.user("elaine", is_active=False), Role.ADMIN)
    before = await emails(busy_world)

    with pytest.raises(SystemExit, match=r"^admin: These groups have no other active owner: Developer \(2\)$"):
        await remove()

    assert await emails(busy_world) == before


async def test_renamed_superuser_keeps_the_account_but_not_the_password(busy_world: World, remove: Command) -> None:
    headers = await busy_world.sign_in(SUPERUSER, PASSWORD)
    await busy_world.sql(CHANGE.format(f"email = '{KING}'", SUPERUSER))

    output = await remove()

    assert output.endswith("the published password: 1.\n")
    assert await emails(busy_world) == {KING}
    assert (await busy_world.client.get("/users/me", headers=headers)).status_code == 401
    assert (await busy_world.login(KING, PASSWORD)).status_code == 400
    assert [mail.email for mail in await busy_world.mails(MailKind.PASSWORD_CHANGED)] == [KING]
    assert await found(busy_world) == 0


@pytest.mark.parametrize("change", ["email = 'x@x.org', is_superuser = true", "email = 'x@x.org'"])
async def test_renamed_volume_user_is_found(busy_world: World, remove: Command, change: str) -> None:
    _, email, *_ = next(BATCH.user_rows(""))
    await busy_world.sql(CHANGE.format(change, email))

    assert "the published password: 1." in await remove()
    assert await found(busy_world) == 0


async def test_promoted_user_with_the_published_password_is_found(world: World) -> None:
    hashed = await world.passwords.hash(PASSWORD)
    await world.user("morgana", superuser=True)
    assert await found(world) == 0

    await world.user("merlin", superuser=True, hashed_password=hashed, is_active=False)

    assert await found(world) == 1


async def test_users_are_found_by_indexes(world: World) -> None:
    plan = await plan_without_scans(world.sessionmaker, lambda db: db.exec(CANDIDATES))

    assert all(index in plan for index in ("ix_user_superuser", "uq_user_email_lower", "pk_user"))
    assert "Seq Scan" not in plan


def test_database_that_does_not_answer_does_not_prevent_the_start(
    monkeypatch: pytest.MonkeyPatch, fresh_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = {"database_url": SecretStr(f"postgresql://127.0.0.1:{free_port()}/nowhere")}
    production = fresh_settings.model_copy(update=nowhere | {"environment": Environment.PRODUCTION})
    for module in (run, sys.modules[refuse_published_password.__module__]):
        monkeypatch.setattr(module, "get_settings", lambda: production)

    refuse_published_password("accounts")

    assert "not checked for the password of the sample data" in caplog.text


@pytest.mark.usefixtures("remove")
async def test_start_in_production_is_refused_with_one_line(
    busy_world: World, monkeypatch: pytest.MonkeyPatch, fresh_settings: Settings
) -> None:
    production = fresh_settings.model_copy(update={"environment": Environment.PRODUCTION})
    for module in (run, sys.modules[refuse_published_password.__module__]):
        monkeypatch.setattr(module, "get_settings", lambda: production)

    with pytest.raises(SystemExit, match=rf"^accounts: {REFUSAL}$"):
        await asyncio.to_thread(refuse_published_password, "accounts")
    await busy_world.sql('DELETE FROM "user"')
    await asyncio.to_thread(refuse_published_password, "accounts")


@pytest.mark.slow
def test_processes_start_in_production_only_after_the_command(fresh_database: str, owned_database: str) -> None:
    api = environment(fresh_database, API_PORT=str(free_port()))
    worker = environment(owned_database, SMTP_HOST="127.0.0.1")
    development = os.environ | {"DATABASE_URL": owned_database}
    assert python("-m", "accounts.seeder", env=development).returncode == 0

    for name, module, env in (("accounts", "gunicorn", api), ("worker", "accounts.worker", worker)):
        ended = python("-m", module, env=env)
        assert ended.returncode == 1
        assert [line for line in ended.stderr.splitlines() if not line.startswith("{")] == [f"{name}: {REFUSAL}"]

    assert python("-m", "accounts.commands.admin", "remove-sample-users", env=worker).returncode == 0
    with gunicorn(fresh_database) as server:
        assert server.api.get("/health/ready").status_code == 200
    with subprocess.Popen([sys.executable, "-m", "accounts.worker"], env=worker) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(5)
        process.terminate()


async def test_service_accounts_are_no_heirs_and_go_with_their_group(busy_world: World, remove: Command) -> None:
    """A group whose other members are service accounts has no other members. Those of others stay."""
    async with transaction(busy_world.sessionmaker) as db:
        sample = (await db.exec(select(User).where(User.email == SUPERUSER))).one()
    knight = await busy_world.user("lancelot")
    real = await busy_world.group("Real", members={knight: Role.OWNER, sample: Role.MEMBER})
    group = await busy_world.group("Sample", members={sample: Role.OWNER})
    async with transaction(busy_world.sessionmaker) as db:
        for owner in (real, group):
            account_id = uuid7()
            account = {"email": service_email(account_id), "hashed_password": "!", "owner_group_id": owner.id}
            db.add(User(id=account_id, **account))
            await db.flush()
            db.add(Membership(group_id=group.id, user_id=account_id, role=Role.ADMIN))
            db.add(Membership(group_id=real.id, user_id=account_id, role=Role.ADMIN))

    await remove()

    async with transaction(busy_world.sessionmaker) as db:
        accounts = (await db.exec(select(User.owner_group_id).where(col(User.owner_group_id).is_not(None)))).all()
        counts = (await db.exec(select(UserGroup.name, UserGroup.member_count))).all()
    assert (accounts, counts) == ([real.id], [("Real", 2)])
