"""The audit log: what is recorded, the list for superusers, and the activity of a user."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from accounts.db.session import transaction
from accounts.models import AuditEvent, Role, User
from support.people import PASSWORD, World

NEW_PASSWORD = "a-sword-in-a-stone"
NOBODY = "nobody@camelot.example.com"


class AuditLog:
    """Reads the audit log as a superuser, and acts as a user."""

    def __init__(self, world: World, morgana: User, arthur: User, admin: dict[str, str], own: dict[str, str]) -> None:
        self.world = world
        self.client = world.client
        self.morgana, self.arthur = morgana, arthur
        self.admin, self.own = admin, own

    async def events(self, **query: Any) -> list[dict[str, Any]]:
        response = await self.client.get("/audit", params=query, headers=self.admin)
        assert response.status_code == 200, response.text
        events: list[dict[str, Any]] = response.json()
        return events

    async def last(self, action: str) -> tuple[str | None, str | None, dict[str, Any]]:
        """The actor, user and detail of the last event of an action."""
        event = (await self.events(action=action, limit=1))[0]
        assert event["address"] == "127.0.0.1"
        return event["actor_id"], event["user_id"], event["detail"]

    async def activity(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = (await self.client.get("/users/me/activity", headers=self.own)).json()
        return events


@pytest.fixture
async def audit_log(world: World) -> AuditLog:
    morgana, arthur = await world.user("morgana", superuser=True), await world.user("arthur")
    return AuditLog(world, morgana, arthur, await world.sign_in(morgana), await world.sign_in(arthur))


class TestEvents:
    async def test_sign_in_is_recorded(self, audit_log: AuditLog) -> None:
        actor, user, detail = await audit_log.last("session.started")

        assert actor == user == str(audit_log.arthur.id)
        assert set(detail) == {"session_id", "methods", "browser"}
        assert detail["browser"].startswith("python-httpx")
        assert detail["methods"] == ["pwd"]

    async def test_wrong_password_is_recorded(self, audit_log: AuditLog) -> None:
        assert (await audit_log.world.login(audit_log.arthur, "wrong")).status_code == 400

        device = {"browser": audit_log.client.headers["user-agent"]}
        assert await audit_log.last("session.refused") == (None, str(audit_log.arthur.id), device)

    async def test_sign_in_with_an_unknown_email_is_recorded_as_its_hash(self, audit_log: AuditLog) -> None:
        for email in (NOBODY, NOBODY.upper()):
            assert (await audit_log.world.login(email)).status_code == 400

        events = await audit_log.events(action="session.refused")
        assert [event["user_id"] for event in events] == [None, None]
        assert "nobody" not in str(events).lower()
        assert events[0]["detail"] == events[1]["detail"]
        assert len(events[0]["detail"]["email_sha256"]) == 64

    async def test_sign_in_of_an_inactive_user_is_recorded(self, audit_log: AuditLog) -> None:
        await audit_log.client.patch(
            f"/users/{audit_log.arthur.id}", json={"is_active": False}, headers=audit_log.admin
        )
        assert (await audit_log.world.login(audit_log.arthur)).status_code == 400

        actor, user, _ = await audit_log.last("session.refused")
        assert (actor, user) == (None, str(audit_log.arthur.id))

    async def test_refused_sign_in_runs_as_many_statements_for_an_unknown_email(
        self, audit_log: AuditLog, engine: AsyncEngine
    ) -> None:
        counts = []
        for email in (audit_log.arthur.email, NOBODY):
            run: list[str] = []
            note = lambda *args, run=run: run.append(args[2])  # noqa: E731  # to be removed again
            event.listen(engine.sync_engine, "before_cursor_execute", note)
            await audit_log.world.login(email, "wrong")
            event.remove(engine.sync_engine, "before_cursor_execute", note)
            counts.append(len(run))

        assert counts[0] == counts[1] > 0

    async def test_registration_is_recorded(self, audit_log: AuditLog) -> None:
        body = {"email": "bors@camelot.example.com", "password": PASSWORD}
        bors = (await audit_log.client.post("/auth/register", json=body)).json()["id"]

        assert await audit_log.last("user.created") == (bors, bors, {})

    async def test_changes_by_a_superuser_are_recorded(self, audit_log: AuditLog) -> None:
        path, arthur = f"/users/{audit_log.arthur.id}", str(audit_log.arthur.id)
        body = {"password": NEW_PASSWORD, "email": "rex@camelot.example.com", "is_superuser": True}
        assert (await audit_log.client.patch(path, json=body, headers=audit_log.admin)).status_code == 200

        by = (str(audit_log.morgana.id), arthur)
        assert await audit_log.last("password.changed") == (*by, {})
        assert await audit_log.last("email.changed") == (*by, {})
        assert await audit_log.last("user.changed") == (
            *by, {"changed": ["is_superuser"], "is_superuser": True},
        )  # fmt: skip
        assert "rex" not in str(await audit_log.events())

        await audit_log.client.delete(path, headers=audit_log.admin)
        assert await audit_log.last("user.deleted") == (*by, {})
        assert len(await audit_log.events(user_id=arthur, action="password.changed")) == 1  # events outlive the user

    async def test_update_that_changes_nothing_is_not_recorded(self, audit_log: AuditLog) -> None:
        body = {"display_name": audit_log.arthur.display_name, "email": audit_log.arthur.email, "is_active": True}
        await audit_log.client.patch(f"/users/{audit_log.arthur.id}", json=body, headers=audit_log.admin)

        assert {event["action"] for event in await audit_log.events()} == {"session.started", "user.created"}

    async def test_verification_and_password_reset_are_recorded(self, audit_log: AuditLog) -> None:
        itself = str(audit_log.arthur.id)
        for purpose in ("request-verify-token", "forgot-password"):
            await audit_log.client.post(f"/auth/{purpose}", json={"email": audit_log.arthur.email})
            body = {"token": (await audit_log.world.token()), "password": NEW_PASSWORD}
            route = "verify" if purpose == "request-verify-token" else "reset-password"
            assert (await audit_log.client.post(f"/auth/{route}", json=body)).status_code == 200

        assert await audit_log.last("user.changed") == (
            itself,
            itself,
            {"changed": ["is_verified"], "is_verified": True},
        )
        assert await audit_log.last("password.changed") == (itself, itself, {})

    async def test_changes_of_groups_and_memberships_are_recorded(self, audit_log: AuditLog) -> None:
        group = (
            await audit_log.client.post("/user-groups", json={"name": "Round Table"}, headers=audit_log.own)
        ).json()
        path, own, other = f"/user-groups/{group['id']}", str(audit_log.arthur.id), str(audit_log.morgana.id)
        await audit_log.world.join(group["id"], audit_log.morgana, Role.MEMBER)
        await audit_log.client.patch(path, json={"name": "Table", "visibility": "public"}, headers=audit_log.own)
        await audit_log.client.patch(f"{path}/users/{other}", json={"role": "admin"}, headers=audit_log.own)
        await audit_log.client.delete(f"{path}/users/{other}", headers=audit_log.own)
        await audit_log.client.delete(path, headers=audit_log.own)

        events = [
            (event["action"], event["actor_id"], event["user_id"], event["detail"])
            for event in reversed(await audit_log.events(group_id=group["id"]))
        ]

        assert events == [
            ("group.created", own, None, {}),
            ("membership.created", own, own, {"role": "owner"}),
            ("membership.created", None, other, {"role": "member"}),
            ("group.changed", own, None, {"changed": ["name", "visibility"], "visibility": "public"}),
            ("membership.changed", own, other, {"role": "admin", "was": "member"}),
            ("membership.deleted", own, other, {"role": "admin"}),
            ("group.deleted", own, None, {}),
        ]

    async def test_rolled_back_change_is_not_recorded(self, audit_log: AuditLog) -> None:
        body = {"email": audit_log.morgana.email, "display_name": "Rex"}
        response = await audit_log.client.patch(f"/users/{audit_log.arthur.id}", json=body, headers=audit_log.admin)

        assert response.status_code == 400
        assert await audit_log.events(action="user.changed") == await audit_log.events(action="email.changed") == []


class TestList:
    async def test_list_requires_a_superuser(self, audit_log: AuditLog) -> None:
        assert (await audit_log.client.get("/audit")).status_code == 401
        assert (await audit_log.client.get("/audit", headers=audit_log.own)).status_code == 403

    async def test_pages_are_complete_and_newest_first(self, audit_log: AuditLog) -> None:
        await audit_log.world.sql(
            "INSERT INTO audit_event (action, at) SELECT 'group.created', now() - interval '1 h' * (i / 2)"
            " FROM generate_series(1, 7) i"
        )
        seen, path = [], "/audit?limit=3&action=group.created"
        while path:
            response = await audit_log.client.get(path, headers=audit_log.admin)
            seen += [(event["at"], event["id"]) for event in response.json()]
            path = response.links["next"]["url"] if "next" in response.links else ""

        assert len(seen) == 7
        assert seen == sorted(seen, reverse=True)

    @pytest.mark.parametrize("cursor", ["x", "AAAA", "MjAyNi0wMS0wMVQwMDowMDowMCAx", "MjAyNi0wMS0wMVQwMDowMDowMFogMA"])
    async def test_invalid_cursor_is_refused(self, audit_log: AuditLog, cursor: str) -> None:
        response = await audit_log.client.get("/audit", params={"cursor": cursor}, headers=audit_log.admin)

        assert (response.status_code, response.json()["detail"]) == (400, "BAD_CURSOR")

    async def test_list_filters_by_actor_user_group_and_action(self, audit_log: AuditLog) -> None:
        arthur, morgana = str(audit_log.arthur.id), str(audit_log.morgana.id)
        await audit_log.client.patch(f"/users/{arthur}", json={"display_name": "Rex"}, headers=audit_log.admin)
        body = {"name": "Round Table"}
        group = (await audit_log.client.post("/user-groups", json=body, headers=audit_log.own)).json()

        assert {event["user_id"] for event in await audit_log.events(user_id=arthur)} == {arthur}
        assert {event["actor_id"] for event in await audit_log.events(actor_id=morgana)} == {morgana}
        assert [event["action"] for event in await audit_log.events(actor_id=morgana, user_id=arthur)] == [
            "user.changed"
        ]
        assert [event["action"] for event in await audit_log.events(group_id=group["id"])] == [
            "membership.created",
            "group.created",
        ]
        assert await audit_log.events(action="no.such") == []

    async def test_list_filters_by_time(self, audit_log: AuditLog) -> None:
        await audit_log.world.sql("INSERT INTO audit_event (action, at) VALUES ('group.created', '2026-01-31 12:00Z')")

        day = datetime(2026, 1, 31, 12, tzinfo=UTC)
        before, after = day - timedelta(seconds=1), day + timedelta(seconds=1)
        assert [event["at"] for event in await audit_log.events(until=after.isoformat())] == ["2026-01-31T12:00:00Z"]
        assert await audit_log.events(until=day.isoformat()) == []
        assert len(await audit_log.events(since=day.isoformat(), until=after.isoformat())) == 1
        assert (
            len(await audit_log.events(since=before.isoformat()))
            > len(await audit_log.events(since=after.isoformat()))
            > 0
        )

    @pytest.mark.parametrize(
        "query", [{"since": "2026-01-31T12:00:00"}, {"user_id": "x"}, {"group_id": 0}, {"action": "'"}, {"limit": 201}]
    )
    async def test_invalid_filter_is_refused(self, audit_log: AuditLog, query: dict[str, Any]) -> None:
        assert (await audit_log.client.get("/audit", params=query, headers=audit_log.admin)).status_code == 422


class TestActivity:
    async def test_user_sees_only_their_own_events(self, audit_log: AuditLog) -> None:
        await audit_log.world.login(audit_log.arthur, "wrong")
        await audit_log.world.login(audit_log.morgana, "wrong")

        events = await audit_log.activity()

        assert [(each["action"], each["by_me"], each["address"]) for each in events] == [
            ("session.refused", False, "127.0.0.1"),
            ("session.started", True, "127.0.0.1"),
            ("user.created", False, ""),
        ]
        assert all(set(each) == {"at", "action", "by_me", "address"} for each in events)

    async def test_client_ip_of_others_is_not_shown(self, audit_log: AuditLog) -> None:
        body = {"display_name": "Rex"}
        await audit_log.client.patch(f"/users/{audit_log.arthur.id}", json=body, headers=audit_log.admin)

        first = (await audit_log.activity())[0]

        assert (first["action"], first["by_me"], first["address"]) == ("user.changed", False, "")

    async def test_user_affected_by_the_caller_is_not_shown(self, audit_log: AuditLog) -> None:
        body = {"display_name": "Rex"}
        await audit_log.client.patch(f"/users/{audit_log.arthur.id}", json=body, headers=audit_log.admin)

        response = await audit_log.client.get("/users/me/activity?limit=1", headers=audit_log.admin)

        assert response.json()[0] | {"at": ""} == {
            "at": "", "action": "user.changed", "by_me": True, "address": "127.0.0.1",
        }  # fmt: skip
        assert "next" in response.links

    async def test_pages_go_forward_and_back(self, audit_log: AuditLog) -> None:
        arthur = audit_log.arthur.id
        async with transaction(audit_log.world.sessionmaker) as db:
            for actor_id, user_id in ((arthur, arthur), (arthur, None), (None, arthur)) * 3:
                db.add(AuditEvent(action="user.changed", actor_id=actor_id, user_id=user_id))
        everything, pages, path = await audit_log.activity(), [], "/users/me/activity?limit=4"

        for way in ("next", "prev"):
            while path:
                response = await audit_log.client.get(path, headers=audit_log.own)
                pages.append(response.json())
                path, last = response.links.get(way, {}).get("url", ""), path
            path = last

        assert [len(page) for page in pages] == [4, 4, 3, 3, 4, 4]
        assert pages[0] + pages[1] + pages[2] == pages[5] + pages[4] + pages[3] == everything

    async def test_activity_requires_sign_in(self, client: AsyncClient) -> None:
        assert (await client.get("/users/me/activity")).status_code == 401
