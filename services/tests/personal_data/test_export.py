"""The export of personal data: complete, without secrets, and without data of others."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select
from starlette.types import Message

from accounts.api.downloads import BATCH_ROWS
from accounts.db.session import RequestContext, transaction
from accounts.domain.audit import history
from accounts.domain.audit.log import Action, record
from accounts.domain.personal_data import parts
from accounts.models import (
    AuditEvent,
    Entity,
    Invitation,
    Membership,
    OneTimeToken,
    Role,
    Totp,
    User,
    UserGroup,
    UserSession,
    Visibility,
)
from support.people import PASSWORD, World
from support.second_factors import user_with_app

PATH = "/users/me/export"
ELSEWHERE = "198.51.100.9"


@pytest.fixture
async def arthur(world: World) -> User:
    """A user with rows of every kind, among other users with the same."""
    arthur, guinevere = await world.user("arthur"), await world.user("guinevere")
    morgana = await world.user("morgana", superuser=True)
    table = await world.group("Round Table", members={arthur: Role.ADMIN, guinevere: Role.OWNER})
    grail = await world.group("Grail", Visibility.PRIVATE, members={arthur: Role.MEMBER})
    await world.group("Avalon", members={morgana: Role.OWNER})
    for purpose in ("request-verify-token", "forgot-password"):
        for user in (arthur, guinevere):
            await world.client.post(f"/auth/{purpose}", json={"email": user.email})
    for user, user_agent in ((arthur, "Excalibur/1"), (guinevere, "Mirror/1")):
        form = {"username": user.email, "password": PASSWORD}
        await world.client.post("/auth/cookie/login", data=form, headers={"User-Agent": user_agent})
        world.client.cookies.clear()
    await invite(world, grail, guinevere, "ARTHUR@camelot.example.com", "Come along")
    await invite(world, table, arthur, "galahad@camelot.example.com", "Take a seat")
    await invite(world, table, guinevere, "bors@camelot.example.com", "Seldom seen")
    await record_change(world, morgana, arthur)
    await record_change(world, morgana, guinevere)
    await record_change(world, arthur, guinevere, "192.0.2.1")
    return arthur


async def invite(world: World, group: UserGroup, inviter: User, email: str, note: str) -> None:
    async with transaction(world.sessionmaker) as db:
        expires_at, token_hash = datetime.now(UTC) + timedelta(days=7), email.encode()
        db.add(
            Invitation(
                group_id=group.id,
                inviter_id=inviter.id,
                email=email,
                note=note,
                token_hash=token_hash,
                expires_at=expires_at,
            )
        )


async def record_change(world: World, actor: User, user: User, address: str = ELSEWHERE) -> None:
    async with transaction(world.sessionmaker, RequestContext(actor_id=actor.id, client_ip=address)) as db:
        await record(db, Action.USER_CHANGED, user_id=user.id, changed=["is_active"], is_active=True)


async def export(world: World, headers: dict[str, str]) -> dict[str, Any]:
    response = await world.client.get(PATH, headers=headers)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


async def stored(world: World, entity: type[Entity]) -> list[Any]:
    async with transaction(world.sessionmaker) as db:
        return list((await db.exec(select(entity))).all())


async def test_export_is_a_download_that_is_not_cached(world: World, arthur: User) -> None:
    response = await world.client.get(PATH, headers=await world.sign_in(arthur))

    assert response.headers["Content-Disposition"] == 'attachment; filename="personal-data.json"'
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers.get_list("Cache-Control") == ["no-store"]


async def test_export_requires_sign_in(client: AsyncClient) -> None:
    assert (await client.get(PATH)).status_code == 401


async def test_export_has_user_memberships_sessions_and_tokens(world: World, arthur: User) -> None:
    headers = await world.sign_in(arthur)

    document = await export(world, headers)

    assert document["user"] == (await world.client.get("/users/me", headers=headers)).json()
    assert "user.hashed_password" in document["not_shown"]
    assert [(each["group_name"], each["role"]) for each in document["memberships"]] == [
        ("Round Table", "admin"), ("Grail", "member"),
    ]  # fmt: skip
    assert [(each["kind"], each["user_agent"], each["address"]) for each in document["sessions"]] == [
        ("cookie", "Excalibur/1", "127.0.0.1"), ("bearer", world.client.headers["User-Agent"], "127.0.0.1"),
    ]  # fmt: skip
    assert [(each["purpose"], each["email"]) for each in document["one_time_tokens"]] == [
        ("reset", arthur.email), ("verify", arthur.email),
    ]  # fmt: skip


@pytest.mark.parametrize("verified", [True, False])
async def test_export_has_invitations_sent_and_received_at_a_verified_email(
    world: World, arthur: User, *, verified: bool
) -> None:
    async with transaction(world.sessionmaker) as db:
        (await db.get_one(User, arthur.id)).is_verified = verified

    document = await export(world, await world.sign_in(arthur))

    by_me = [(each["email"], each["role"], each["note"]) for each in document["invitations_by_me"]]
    assert by_me == [("galahad@camelot.example.com", "member", "Take a seat")]
    for_me = [(each["email"], each["group_name"], each["note"]) for each in document["invitations_for_me"]]
    assert for_me == [("ARTHUR@camelot.example.com", "Grail", "Come along")] * verified


async def test_export_shows_the_same_events_as_the_activity(world: World, arthur: User) -> None:
    headers = await world.sign_in(arthur)

    events = (await export(world, headers))["events"]

    activity = (await world.client.get("/users/me/activity", headers=headers)).json()
    assert [{name: each[name] for name in ("at", "action", "by_me", "address")} for each in events] == activity
    changed = [each for each in events if each["action"] == "user.changed"]
    assert [(each["by_me"], each["to_me"], each["address"]) for each in changed] == [
        (True, False, "192.0.2.1"), (False, True, ""),
    ]  # fmt: skip
    assert all(each["detail"] == {"changed": ["is_active"], "is_active": True} for each in changed)


async def test_export_has_expired_rows_that_are_not_deleted_yet(world: World, arthur: User) -> None:
    headers = await world.sign_in(arthur)
    await world.sql("UPDATE one_time_token SET expires_at = now() - interval '1 day'")
    await world.sql("UPDATE user_session SET expires_at = now() - interval '1 day' WHERE kind = 'cookie'")

    document = await export(world, headers)

    assert (len(document["sessions"]), len(document["one_time_tokens"])) == (2, 2)


async def test_export_has_no_data_of_other_users(world: World, arthur: User) -> None:
    text = (await world.client.get(PATH, headers=await world.sign_in(arthur))).text

    for other in (user for user in await all_users(world) if user.id != arthur.id):
        assert not [each for each in (str(other.id), other.email, other.display_name) if each in text]
    assert not [each for each in (ELSEWHERE, "Mirror/1", "Avalon", "Seldom", "bors@") if each in text]


async def test_export_has_no_secrets(world: World, arthur: User) -> None:
    headers = await world.sign_in(arthur)

    text = (await world.client.get(PATH, headers=headers)).text

    assert not [each for _, _, each in (await world.tokens()) if each in text]
    assert headers["Authorization"].partition(" ")[2] not in text
    hashes = [
        row.token_hash for entity in (UserSession, OneTimeToken, Invitation) for row in await stored(world, entity)
    ]
    assert len(hashes) > 7
    assert not [each for each in hashes if each.hex() in text or b64encode(each).decode()[:20] in text]
    assert not [each for each in await all_users(world) if each.hashed_password in text]


async def all_users(world: World) -> list[User]:
    async with transaction(world.sessionmaker) as db:
        return list((await db.exec(select(User))).all())


async def test_export_has_the_authenticator_app_without_its_secret(world: World) -> None:
    phone = await user_with_app(world)

    document = await export(world, phone.headers)

    [app] = document["totp"]
    assert app.keys() == {"created_at", "confirmed_at", "last_step"}
    assert document["user"]["email"] == "arthur@camelot.example.com"
    async with transaction(world.sessionmaker) as db:
        [sealed] = await db.exec(select(Totp.secret_sealed))
    assert sealed.hex() not in str(document)


async def test_export_has_empty_lists_without_rows(world: World) -> None:
    document = await export(world, await world.sign_in(await world.user("mordred")))

    assert document["memberships"] == document["one_time_tokens"] == []


class TestLarge:
    @pytest.fixture
    async def many(self, world: World) -> User:
        """2500 events and those of others, two at each instant, so that some pages end between the two."""
        arthur, mordred = await world.user("arthur"), await world.user("mordred")
        now, user_ids = datetime.now(UTC), (arthur.id, mordred.id, None)
        async with world.owner() as db:
            db.add_all(
                AuditEvent(
                    action="user.changed",
                    at=now - timedelta(hours=number // 2),
                    actor_id=user_ids[number % 3],
                    user_id=user_ids[number % 2],
                )
                for number in range(4000)
            )
        return arthur

    async def test_large_export_is_complete_and_in_order(self, world: World, many: User) -> None:
        events = (await export(world, await world.sign_in(many)))["events"]

        keys = [(each["at"], each["id"]) for each in events]
        expected = [each.id for each in await stored(world, AuditEvent) if many.id in {each.actor_id, each.user_id}]
        assert len(keys) > 2500
        assert sorted(each["id"] for each in events) == sorted(expected)
        assert keys == sorted(keys, reverse=True)

    async def test_large_export_runs_one_statement_per_batch(
        self, world: World, many: User, statements: list[str]
    ) -> None:
        headers = await world.sign_in(many)
        statements.clear()
        events = (await export(world, headers))["events"]

        others = len(parts(many))  # the user, and each list but the events
        assert len(statements) == others + len(events) // BATCH_ROWS + 1

    @pytest.fixture
    def statements(self, engine: AsyncEngine) -> Iterator[list[str]]:
        run: list[str] = []
        note = lambda *args: None if "SAVEPOINT" in args[2] else run.append(args[2])  # noqa: E731  # to be removed again
        event.listen(engine.sync_engine, "before_cursor_execute", note)
        yield run
        event.remove(engine.sync_engine, "before_cursor_execute", note)

    async def test_export_holds_no_connection_while_it_is_sent(self, busy_world: World) -> None:
        world, arthur = busy_world, await busy_world.user("arthur")
        headers = await world.sign_in(arthur)
        async with transaction(world.sessionmaker) as db:
            db.add_all(AuditEvent(action="user.changed", user_id=arthur.id) for _ in range(2 * BATCH_ROWS))
        checked_out: list[int] = []

        async def send(_: Message) -> None:
            checked_out.append(world.sessionmaker.kw["bind"].pool.checkedout())

        await world.app(scope(world, headers), receive, send)

        assert len(checked_out) > 3
        assert set(checked_out) == {0}


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def scope(world: World, headers: dict[str, str]) -> dict[str, Any]:
    raw = [(name.lower().encode(), value.encode()) for name, value in ({"Host": "testserver"} | headers).items()]
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": PATH, "raw_path": PATH.encode(), "query_string": b"", "root_path": "",
        "headers": raw, "client": ("127.0.0.1", 1), "server": ("testserver", 80), "state": dict(world.state),
    }  # fmt: skip


async def test_outage_before_the_first_byte_is_a_problem_response(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = await world.sign_in(await world.user("arthur"))

    async def unreachable(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(history, "list_activity", unreachable)
    response = await world.client.get(PATH, headers=headers)

    assert (response.status_code, response.headers["Content-Type"]) == (503, "application/problem+json")
    assert "Content-Disposition" not in response.headers


class TestDeletion:
    async def test_deleting_a_user_deletes_their_data_and_keeps_audit_events(self, world: World, arthur: User) -> None:
        headers = await world.sign_in(arthur)
        before = await events_of(world, arthur)

        assert (await world.client.delete("/users/me", headers=headers)).status_code == 204

        for entity in (Membership, UserSession, OneTimeToken):
            rows = await stored(world, entity)
            assert rows
            assert arthur.id not in {row.user_id for row in rows}
        by, to = zip(*[(each.inviter_id, each.email) for each in await stored(world, Invitation)], strict=True)
        assert len(by) == 3
        assert arthur.id not in by
        assert "ARTHUR@camelot.example.com" in to  # another user may have the address next
        assert arthur.email not in str(await all_users(world))
        after = await events_of(world, arthur)
        assert after[:-1] == before
        assert (after[-1].action, after[-1].actor_id, after[-1].user_id) == ("user.deleted", arthur.id, arthur.id)

    async def test_audit_events_of_a_deleted_user_have_no_name_or_email(self, world: World, arthur: User) -> None:
        await world.client.delete("/users/me", headers=await world.sign_in(arthur))

        record = str([each.model_dump() for each in await stored(world, AuditEvent)])

        assert str(arthur.id) in record
        assert not [each for each in (arthur.email, arthur.display_name) if each.lower() in record.lower()]


async def events_of(world: World, user: User) -> list[AuditEvent]:
    async with transaction(world.sessionmaker) as db:
        statement = select(AuditEvent).where(
            (col(AuditEvent.actor_id) == user.id) | (col(AuditEvent.user_id) == user.id)
        )
        return list((await db.exec(statement.order_by(col(AuditEvent.id)))).all())
