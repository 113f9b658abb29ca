"""Imports as the worker runs them, on real connections: progress, outages, races, and rights that were lost."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain import retention
from accounts.domain.invitations import member_import
from accounts.domain.invitations.store import InvitationRequest
from accounts.domain.member_imports import progress as progress_module
from accounts.domain.member_imports import running
from accounts.domain.member_imports.managing import MemberImportManager
from accounts.domain.member_imports.packing import BATCH_ROWS, pack, unpack
from accounts.domain.member_imports.progress import Progress
from accounts.models import AuditEvent, ImportStatus, MailKind, MemberImport, OutboxMail, Role, User, UserGroup
from support.member_files import import_members, invited, members, user_named
from support.member_imports import run_imports, runner_of, store_import, stored, value_of
from support.people import World

ROWS = 6
CONTENT = ("email\n" + "".join(f"knight{number}@example.com\n" for number in range(ROWS))).encode()
Hook = Callable[[int], Awaitable[None]]


@pytest.fixture
async def kay(busy_world: World) -> User:
    return await busy_world.user("kay", is_verified=True)


@pytest.fixture
async def group(busy_world: World, kay: User) -> UserGroup:
    owner = await busy_world.user("arthur")
    return await busy_world.group("Round Table", members={owner: Role.OWNER, kay: Role.ADMIN})


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the progress after each row."""
    monkeypatch.setattr(member_import, "BATCH_ROWS", 1)
    monkeypatch.setattr(progress_module, "SECONDS", 0)


def after_progress(monkeypatch: pytest.MonkeyPatch, hook: Hook) -> None:
    """Call ``hook`` with the number of rows that are done, after each write of the progress."""
    original = Progress.write

    async def write(self: Progress, done: int, *, mails_counted: bool = False) -> None:
        await original(self, done, mails_counted=mails_counted)
        await hook(done)

    monkeypatch.setattr(Progress, "write", write)


@pytest.mark.usefixtures("small_batches")
async def test_progress_grows_and_is_seen_while_the_import_runs(
    busy_world: World, group: UserGroup, kay: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = await store_import(busy_world, group, kay, CONTENT)
    seen: list[tuple[str, int, int]] = []

    async def look(_: int) -> None:
        row = await stored(busy_world, import_id)
        seen.append((row.status, row.done, len(await invited(busy_world, group))))

    after_progress(monkeypatch, look)
    await run_imports(busy_world)

    assert {status for status, _, _ in seen} == {"running"}
    assert sorted({done for _, done, _ in seen}) == list(range(ROWS + 1))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert {count for _, _, count in seen} == {0}  # all or nothing
    assert len(await invited(busy_world, group)) == ROWS


async def test_end_deletes_the_rows_and_what_is_known_of_the_request(
    busy_world: World, group: UserGroup, kay: User
) -> None:
    import_id = await store_import(busy_world, group, kay, CONTENT)
    waiting = await stored(busy_world, import_id)
    await run_imports(busy_world)
    row = await stored(busy_world, import_id)

    assert [each.email for each in unpack(waiting.rows or b"")] == [f"knight{each}@example.com" for each in range(ROWS)]
    assert (row.status, row.rows, row.request, row.done) == (ImportStatus.FINISHED, None, None, ROWS)
    assert row.counts == {"added": 0, "invited": ROWS, "already_members": 0, "already_invited": 0}
    assert row.finished_at
    assert await runner_of(busy_world).find() is None


@pytest.mark.usefixtures("small_batches")
async def test_worker_that_is_cut_in_the_middle_loses_and_doubles_nothing(
    busy_world: World, group: UserGroup, kay: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = await store_import(busy_world, group, kay, CONTENT)

    async def cut(done: int) -> None:
        if done == ROWS // 2:
            # The connection of the import's transaction is the only one that is idle in it.
            await value_of(
                busy_world,
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state = 'idle in transaction'",
            )

    with monkeypatch.context() as patch:
        after_progress(patch, cut)
        with pytest.raises(DBAPIError):
            await run_imports(busy_world)
    row = await stored(busy_world, import_id)
    assert (row.status, row.done, row.finished_at) == (ImportStatus.RUNNING, ROWS // 2, None)
    assert not await invited(busy_world, group)

    await run_imports(busy_world)

    assert (await stored(busy_world, import_id)).counts["invited"] == ROWS
    assert len(await invited(busy_world, group)) == ROWS == len(await busy_world.mails(MailKind.INVITATION))


async def test_of_two_workers_one_runs_an_import(
    busy_world: World, group: UserGroup, kay: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = await store_import(busy_world, group, kay, CONTENT)
    second, outcomes = runner_of(busy_world), []
    found = await second.find()
    assert found

    async def run_again(_: int) -> None:
        outcomes.append(await second.run(found))

    after_progress(monkeypatch, run_again)
    assert await runner_of(busy_world).run(found)

    assert set(outcomes) == {False}
    assert await second.run(found)  # it has ended
    assert (await stored(busy_world, import_id)).status == ImportStatus.FINISHED
    assert len(await invited(busy_world, group)) == ROWS == len(await busy_world.mails(MailKind.INVITATION))


async def test_many_workers_at_once_do_it_once(busy_world: World, group: UserGroup, kay: User) -> None:
    await store_import(busy_world, group, kay, CONTENT)

    await asyncio.gather(*(run_imports(busy_world) for _ in range(3)))

    assert len(await invited(busy_world, group)) == ROWS == len(await busy_world.mails(MailKind.INVITATION))
    assert await value_of(busy_world, "SELECT count(*) FROM audit_event WHERE action = 'members.imported'") == 1


async def test_import_of_the_api_into_the_group_is_refused_meanwhile(
    busy_world: World, group: UserGroup, kay: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_import(busy_world, group, kay, CONTENT)
    arthur, answers = await user_named(busy_world, "arthur"), []

    async def import_too(_: int) -> None:
        answers.append(await import_members(busy_world, group, arthur, "email\nlot@example.com\n"))

    after_progress(monkeypatch, import_too)
    await run_imports(busy_world)

    assert {each.json()["detail"] for each in answers} == {"IMPORT_IN_PROGRESS"}


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE membership SET role = 'member'", "GROUP_FORBIDDEN"),
        ("UPDATE user_group SET visibility = 'private'; DELETE FROM membership", "GROUP_NOT_FOUND"),
        ('UPDATE "user" SET is_verified = false', "VERIFIED_EMAIL_REQUIRED"),
        ('UPDATE "user" SET is_active = false', "USER_NOT_FOUND"),
        ("UPDATE user_group SET required_aal = 2", "ASSURANCE_REQUIRED"),
    ],
)
async def test_import_without_the_right_to_it_is_refused(
    busy_world: World, group: UserGroup, kay: User, statement: str, code: str
) -> None:
    import_id = await store_import(busy_world, group, kay, CONTENT)
    for each in statement.split("; "):
        await busy_world.sql(each)
    await run_imports(busy_world)
    row = await stored(busy_world, import_id)

    assert (row.status, row.error, row.rows, row.counts) == (ImportStatus.REFUSED, code, None, {})
    assert not await invited(busy_world, group)


@pytest.mark.usefixtures("small_batches")
async def test_right_that_is_lost_in_the_middle_refuses_all_rows(
    busy_world: World, group: UserGroup, kay: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = await store_import(busy_world, group, kay, CONTENT)

    async def demote(done: int) -> None:
        if done == 2:
            await busy_world.sql(f"UPDATE membership SET role = 'member' WHERE user_id = '{kay.id}'")  # noqa: S608

    after_progress(monkeypatch, demote)
    await run_imports(busy_world)

    assert (await stored(busy_world, import_id)).error == "GROUP_FORBIDDEN"
    assert not await invited(busy_world, group)
    assert not await busy_world.mails(MailKind.INVITATION)


@pytest.mark.parametrize("table", ["user_group", "user"])
async def test_import_is_deleted_with_its_group_and_its_actor(
    busy_world: World, group: UserGroup, kay: User, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    await store_import(busy_world, group, kay, CONTENT)
    runner, where = runner_of(busy_world), group.id if table == "user_group" else f"'{kay.id}'"
    found = await runner.find()
    assert found

    async def delete(_: int) -> None:
        await busy_world.sql(f'DELETE FROM "{table}" WHERE id = {where}')  # noqa: S608  # constants

    with monkeypatch.context() as patch:
        after_progress(patch, delete)  # before the import has locked both
        assert await runner.run(found)
    assert await runner.run(found)

    assert await value_of(busy_world, "SELECT count(*) FROM member_import") == 0
    assert await value_of(busy_world, "SELECT count(*) FROM invitation") == 0


@pytest.mark.usefixtures("small_batches")
async def test_cancelled_import_ends_at_its_next_progress(
    busy_world: World, group: UserGroup, kay: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = await store_import(busy_world, group, kay, CONTENT)
    seen = []

    async def cancel(done: int) -> None:
        seen.append(done)
        if done == 2:
            await cancel_import(busy_world, group, kay, import_id)

    after_progress(monkeypatch, cancel)
    await run_imports(busy_world)

    assert seen[-1] == 2
    assert (await stored(busy_world, import_id)).status == ImportStatus.CANCELLED
    assert not await invited(busy_world, group)


async def test_import_that_is_cancelled_after_its_last_progress_stores_nothing(
    busy_world: World, group: UserGroup, kay: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = await store_import(busy_world, group, kay, CONTENT)
    monkeypatch.setattr(progress_module, "SECONDS", 3600)
    written = []

    async def cancel(done: int) -> None:
        written.append(done)
        if len(written) == 2:  # the mails were counted
            await cancel_import(busy_world, group, kay, import_id)

    after_progress(monkeypatch, cancel)
    await run_imports(busy_world)

    assert (await stored(busy_world, import_id)).status == ImportStatus.CANCELLED
    assert not await invited(busy_world, group)


async def cancel_import(world: World, group: UserGroup, actor: User, import_id: int) -> None:
    async with transaction(world.sessionmaker) as db:
        await MemberImportManager(db).cancel(group.id, import_id, actor)


async def test_file_that_invites_too_many_people_is_refused(busy_world: World, group: UserGroup, kay: User) -> None:
    import_id = await store_import(busy_world, group, kay, CONTENT)
    busy_world.change_settings(throttle_scale=1, throttle_scale_mail=(ROWS - 1) / 1000)
    await run_imports(busy_world)

    assert (await stored(busy_world, import_id)).error == "TOO_MANY_INVITATIONS"
    assert not await invited(busy_world, group)


async def test_what_is_left_of_the_day_limits_imports_and_the_time_to_wait_is_stored(
    busy_world: World, group: UserGroup, kay: User
) -> None:
    busy_world.change_settings(throttle_scale=1, throttle_scale_mail=ROWS / 1000)
    await import_members(busy_world, group, kay, "email\nlot@example.com\n")
    import_id = await store_import(busy_world, group, kay, CONTENT)
    await run_imports(busy_world)
    row = await stored(busy_world, import_id)

    assert (row.status, row.error) == (ImportStatus.REFUSED, "TOO_MANY_ATTEMPTS")
    assert row.retry_at
    assert row.retry_at > datetime.now(UTC)
    assert {email for email, _, _ in await invited(busy_world, group)} == {"lot@example.com"}


@pytest.mark.usefixtures("small_batches")
async def test_mails_of_an_import_that_runs_again_are_counted_once(
    busy_world: World, group: UserGroup, kay: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy_world.change_settings(throttle_scale=1, throttle_scale_mail=ROWS / 1000)
    import_id = await store_import(busy_world, group, kay, CONTENT)

    async def fail(done: int) -> None:
        if done:
            raise ConnectionResetError

    with monkeypatch.context() as patch:
        after_progress(patch, fail)
        with pytest.raises(ConnectionResetError):
            await run_imports(busy_world)
    assert (await stored(busy_world, import_id)).mails_counted

    await run_imports(busy_world)

    assert (await stored(busy_world, import_id)).status == ImportStatus.FINISHED
    assert len(await invited(busy_world, group)) == ROWS


async def test_file_without_new_people_counts_no_mail(busy_world: World, group: UserGroup, kay: User) -> None:
    import_id = await store_import(busy_world, group, kay, b"email\nkay@camelot.example.com\n")
    await run_imports(busy_world)
    row = await stored(busy_world, import_id)

    assert (row.counts["already_members"], row.mails_counted) == (1, False)


async def test_superusers_add_users_with_the_assurance_that_their_rights_require(
    busy_world: World, group: UserGroup, kay: User
) -> None:
    await busy_world.user("lancelot")
    await busy_world.sql(f"UPDATE \"user\" SET is_superuser = true WHERE id = '{kay.id}'")  # noqa: S608
    for level in (2, 1):
        busy_world.change_settings(superuser_aal=level)
        await store_import(busy_world, group, kay, b"email\nlancelot@camelot.example.com\n")
        await run_imports(busy_world)
        assert ("lancelot" in await members(busy_world, group)) is (level == 1)


async def test_audit_log_and_mail_know_the_request(busy_world: World, group: UserGroup, kay: User) -> None:
    headers = {"User-Agent": "Round Browser", "Accept-Language": "de"}
    await store_import(busy_world, group, kay, b"email\nlot@example.com\n", **headers)
    await run_imports(busy_world)

    async with transaction(busy_world.sessionmaker) as db:
        statement = select(AuditEvent).where(col(AuditEvent.action) == "members.imported")
        event = (await db.exec(statement)).one()
        mail = (await db.exec(select(OutboxMail).where(col(OutboxMail.kind) == MailKind.INVITATION))).one()
    assert (event.actor_id, event.address) == (kay.id, "127.0.0.1")
    assert (mail.sender_id, mail.language) == (kay.id, "de")


async def test_mistake_of_ours_ends_the_import_and_is_logged_without_a_row(
    busy_world: World, group: UserGroup, kay: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import_id = await store_import(busy_world, group, kay, CONTENT)
    address = f"knight{len(CONTENT)}@example.com"

    async def broken(*_: Any, **__: Any) -> None:
        raise ValueError(address)

    monkeypatch.setattr(running, "import_members", broken)
    await run_imports(busy_world)
    row = await stored(busy_world, import_id)

    assert (row.status, row.error) == (ImportStatus.REFUSED, "INTERNAL_SERVER_ERROR")
    assert f"import {import_id} of members ends: ValueError" in caplog.text
    assert address not in caplog.text


async def test_ended_imports_are_deleted_after_thirty_days(busy_world: World, group: UserGroup, kay: User) -> None:
    ids = []
    for _ in range(3):
        ids.append(await store_import(busy_world, group, kay, CONTENT))
        if len(ids) < 3:
            await run_imports(busy_world)
    await busy_world.sql(f"UPDATE member_import SET finished_at = now() - interval '31 days' WHERE id = {ids[0]}")  # noqa: S608
    await busy_world.sql(f"UPDATE member_import SET created_at = now() - interval '31 days' WHERE id = {ids[2]}")  # noqa: S608
    async with busy_world.owner() as db:
        deleted = await retention.delete_expired(db, busy_world.state["settings"])
    async with transaction(busy_world.sessionmaker) as db:
        left = (await db.exec(select(MemberImport.id).order_by(col(MemberImport.id)))).all()

    assert deleted["member_import"] == 1
    assert list(left) == ids[1:]


async def test_rows_are_stored_as_they_were_read() -> None:
    rows = [
        InvitationRequest(
            f"k{number}@example.com", Role.ADMIN if number % 2 else Role.MEMBER, 'A "seat",\n\u2028 \u00e9'
        )
        for number in range(2 * BATCH_ROWS + 1)
    ]

    assert list(unpack(await pack(rows))) == rows
    assert rows[0].lifetime == timedelta(days=7)
