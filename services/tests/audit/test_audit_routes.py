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


class Court:
    """Reads the audit log as a superuser, and acts as a user."""

    def __init__(self, world: World, morgana: User, arthur: User, admin: dict[str, str], own: dict[str, str]) -> None:
        self.world = world
        self.client = world.client
        self.morgana, self.arthur = morgana, arthur
        self.admin, self.own = admin, own

    async def audit(self, **query: Any) -> list[dict[str, Any]]:
        response = await self.client.get("/audit", params=query, headers=self.admin)
        assert response.status_code == 200, response.text
        events: list[dict[str, Any]] = response.json()
        return events

    async def last(self, action: str) -> tuple[str | None, str | None, dict[str, Any]]:
        """The actor, user and detail of the last event of an action."""
        event = (await self.audit(action=action, limit=1))[0]
        assert event["address"] == "127.0.0.1"
        return event["actor_id"], event["user_id"], event["detail"]

    async def activity(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = (await self.client.get("/users/me/activity", headers=self.own)).json()
        return events


@pytest.fixture
async def court(world: World) -> Court:
    morgana, arthur = await world.user("morgana", superuser=True), await world.user("arthur")
    return Court(world, morgana, arthur, await world.sign_in(morgana), await world.sign_in(arthur))


class TestEvents:
    async def test_sign_in_is_recorded(self, court: Court) -> None:
        actor, user, detail = await court.last("session.started")

        assert actor == user == str(court.arthur.id)
        assert set(detail) == {"session_id"}

    async def test_wrong_password_is_recorded(self, court: Court) -> None:
        assert (await court.world.login(court.arthur, "wrong")).status_code == 400

        assert await court.last("session.refused") == (None, str(court.arthur.id), {})

    async def test_sign_in_with_an_unknown_email_is_recorded_as_its_hash(self, court: Court) -> None:
        for email in (NOBODY, NOBODY.upper()):
            assert (await court.world.login(email)).status_code == 400

        events = await court.audit(action="session.refused")
        assert [event["user_id"] for event in events] == [None, None]
        assert "nobody" not in str(events).lower()
        assert events[0]["detail"] == events[1]["detail"]
        assert len(events[0]["detail"]["email_sha256"]) == 64

    async def test_sign_in_of_an_inactive_user_is_recorded(self, court: Court) -> None:
        await court.client.patch(f"/users/{court.arthur.id}", json={"is_active": False}, headers=court.admin)
        assert (await court.world.login(court.arthur)).status_code == 400

        assert await court.last("session.refused") == (None, str(court.arthur.id), {})

    async def test_refused_sign_in_runs_as_many_statements_for_an_unknown_email(
        self, court: Court, engine: AsyncEngine
    ) -> None:
        counts = []
        for email in (court.arthur.email, NOBODY):
            run: list[str] = []
            note = lambda *args, run=run: run.append(args[2])  # noqa: E731  # to be removed again
            event.listen(engine.sync_engine, "before_cursor_execute", note)
            await court.world.login(email, "wrong")
            event.remove(engine.sync_engine, "before_cursor_execute", note)
            counts.append(len(run))

        assert counts[0] == counts[1] > 0

    async def test_registration_is_recorded(self, court: Court) -> None:
        body = {"email": "bors@camelot.example.com", "password": PASSWORD}
        bors = (await court.client.post("/auth/register", json=body)).json()["id"]

        assert await court.last("user.created") == (bors, bors, {})

    async def test_changes_by_a_superuser_are_recorded(self, court: Court) -> None:
        path, arthur = f"/users/{court.arthur.id}", str(court.arthur.id)
        body = {"password": NEW_PASSWORD, "email": "rex@camelot.example.com", "is_superuser": True}
        assert (await court.client.patch(path, json=body, headers=court.admin)).status_code == 200

        by = (str(court.morgana.id), arthur)
        assert await court.last("password.changed") == (*by, {})
        assert await court.last("email.changed") == (*by, {})
        assert await court.last("user.changed") == (
            *by, {"changed": ["is_superuser"], "is_superuser": True},
        )  # fmt: skip
        assert "rex" not in str(await court.audit())

        await court.client.delete(path, headers=court.admin)
        assert await court.last("user.deleted") == (*by, {})
        assert len(await court.audit(user_id=arthur, action="password.changed")) == 1  # events outlive the user

    async def test_update_that_changes_nothing_is_not_recorded(self, court: Court) -> None:
        body = {"display_name": court.arthur.display_name, "email": court.arthur.email, "is_active": True}
        await court.client.patch(f"/users/{court.arthur.id}", json=body, headers=court.admin)

        assert {event["action"] for event in await court.audit()} == {"session.started", "user.created"}

    async def test_verification_and_password_reset_are_recorded(self, court: Court) -> None:
        itself = str(court.arthur.id)
        for purpose in ("request-verify-token", "forgot-password"):
            await court.client.post(f"/auth/{purpose}", json={"email": court.arthur.email})
            body = {"token": (await court.world.token()), "password": NEW_PASSWORD}
            route = "verify" if purpose == "request-verify-token" else "reset-password"
            assert (await court.client.post(f"/auth/{route}", json=body)).status_code == 200

        assert await court.last("user.changed") == (itself, itself, {"changed": ["is_verified"], "is_verified": True})
        assert await court.last("password.changed") == (itself, itself, {})

    async def test_changes_of_groups_and_memberships_are_recorded(self, court: Court) -> None:
        group = (await court.client.post("/user-groups", json={"name": "Round Table"}, headers=court.own)).json()
        path, own, other = f"/user-groups/{group['id']}", str(court.arthur.id), str(court.morgana.id)
        await court.world.join(group["id"], court.morgana, Role.MEMBER)
        await court.client.patch(path, json={"name": "Table", "visibility": "public"}, headers=court.own)
        await court.client.patch(f"{path}/users/{other}", json={"role": "admin"}, headers=court.own)
        await court.client.delete(f"{path}/users/{other}", headers=court.own)
        await court.client.delete(path, headers=court.own)

        events = [
            (event["action"], event["actor_id"], event["user_id"], event["detail"])
            for event in reversed(await court.audit(group_id=group["id"]))
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

    async def test_rolled_back_change_is_not_recorded(self, court: Court) -> None:
        body = {"email": court.morgana.email, "display_name": "Rex"}
        response = await court.client.patch(f"/users/{court.arthur.id}", json=body, headers=court.admin)

        assert response.status_code == 400
        assert await court.audit(action="user.changed") == await court.audit(action="email.changed") == []


class TestList:
    async def test_list_requires_a_superuser(self, court: Court) -> None:
        assert (await court.client.get("/audit")).status_code == 401
        assert (await court.client.get("/audit", headers=court.own)).status_code == 403

    async def test_pages_are_complete_and_newest_first(self, court: Court) -> None:
        await court.world.sql(
            "INSERT INTO audit_event (action, at) SELECT 'group.created', now() - interval '1 h' * (i / 2)"
            " FROM generate_series(1, 7) i"
        )
        seen, path = [], "/audit?limit=3&action=group.created"
        while path:
            response = await court.client.get(path, headers=court.admin)
            seen += [(event["at"], event["id"]) for event in response.json()]
            path = response.links["next"]["url"] if "next" in response.links else ""

        assert len(seen) == 7
        assert seen == sorted(seen, reverse=True)

    @pytest.mark.parametrize("cursor", ["x", "AAAA", "MjAyNi0wMS0wMVQwMDowMDowMCAx", "MjAyNi0wMS0wMVQwMDowMDowMFogMA"])
    async def test_invalid_cursor_is_refused(self, court: Court, cursor: str) -> None:
        response = await court.client.get("/audit", params={"cursor": cursor}, headers=court.admin)

        assert (response.status_code, response.json()["detail"]) == (400, "BAD_CURSOR")

    async def test_list_filters_by_actor_user_group_and_action(self, court: Court) -> None:
        arthur, morgana = str(court.arthur.id), str(court.morgana.id)
        await court.client.patch(f"/users/{arthur}", json={"display_name": "Rex"}, headers=court.admin)
        body = {"name": "Round Table"}
        group = (await court.client.post("/user-groups", json=body, headers=court.own)).json()

        assert {event["user_id"] for event in await court.audit(user_id=arthur)} == {arthur}
        assert {event["actor_id"] for event in await court.audit(actor_id=morgana)} == {morgana}
        assert [event["action"] for event in await court.audit(actor_id=morgana, user_id=arthur)] == ["user.changed"]
        assert [event["action"] for event in await court.audit(group_id=group["id"])] == [
            "membership.created",
            "group.created",
        ]
        assert await court.audit(action="no.such") == []

    async def test_list_filters_by_time(self, court: Court) -> None:
        await court.world.sql("INSERT INTO audit_event (action, at) VALUES ('group.created', '2026-01-31 12:00Z')")

        day = datetime(2026, 1, 31, 12, tzinfo=UTC)
        before, after = day - timedelta(seconds=1), day + timedelta(seconds=1)
        assert [event["at"] for event in await court.audit(until=after.isoformat())] == ["2026-01-31T12:00:00Z"]
        assert await court.audit(until=day.isoformat()) == []
        assert len(await court.audit(since=day.isoformat(), until=after.isoformat())) == 1
        assert len(await court.audit(since=before.isoformat())) > len(await court.audit(since=after.isoformat())) > 0

    @pytest.mark.parametrize(
        "query", [{"since": "2026-01-31T12:00:00"}, {"user_id": "x"}, {"group_id": 0}, {"action": "'"}, {"limit": 201}]
    )
    async def test_invalid_filter_is_refused(self, court: Court, query: dict[str, Any]) -> None:
        assert (await court.client.get("/audit", params=query, headers=court.admin)).status_code == 422


class TestActivity:
    async def test_user_sees_only_their_own_events(self, court: Court) -> None:
        await court.world.login(court.arthur, "wrong")
        await court.world.login(court.morgana, "wrong")

        events = await court.activity()

        assert [(each["action"], each["by_me"], each["address"]) for each in events] == [
            ("session.refused", False, "127.0.0.1"),
            ("session.started", True, "127.0.0.1"),
            ("user.created", False, ""),
        ]
        assert all(set(each) == {"at", "action", "by_me", "address"} for each in events)

    async def test_client_ip_of_others_is_not_shown(self, court: Court) -> None:
        body = {"display_name": "Rex"}
        await court.client.patch(f"/users/{court.arthur.id}", json=body, headers=court.admin)

        first = (await court.activity())[0]

        assert (first["action"], first["by_me"], first["address"]) == ("user.changed", False, "")

    async def test_user_affected_by_the_caller_is_not_shown(self, court: Court) -> None:
        body = {"display_name": "Rex"}
        await court.client.patch(f"/users/{court.arthur.id}", json=body, headers=court.admin)

        response = await court.client.get("/users/me/activity?limit=1", headers=court.admin)

        assert response.json()[0] | {"at": ""} == {
            "at": "", "action": "user.changed", "by_me": True, "address": "127.0.0.1",
        }  # fmt: skip
        assert "next" in response.links

    async def test_pages_go_forward_and_back(self, court: Court) -> None:
        arthur = court.arthur.id
        async with transaction(court.world.sessionmaker) as db:
            for actor_id, user_id in ((arthur, arthur), (arthur, None), (None, arthur)) * 3:
                db.add(AuditEvent(action="user.changed", actor_id=actor_id, user_id=user_id))
        everything, pages, path = await court.activity(), [], "/users/me/activity?limit=4"

        for way in ("next", "prev"):
            while path:
                response = await court.client.get(path, headers=court.own)
                pages.append(response.json())
                path, last = response.links.get(way, {}).get("url", ""), path
            path = last

        assert [len(page) for page in pages] == [4, 4, 3, 3, 4, 4]
        assert pages[0] + pages[1] + pages[2] == pages[5] + pages[4] + pages[3] == everything

    async def test_activity_requires_sign_in(self, client: AsyncClient) -> None:
        assert (await client.get("/users/me/activity")).status_code == 401
