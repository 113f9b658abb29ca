"""User administration by superusers."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from accounts.db.session import transaction
from accounts.domain.identity.user_search import list_users
from accounts.models import MailKind
from accounts.schemas.identity.users import UserQuery
from support.people import PASSWORD, World
from support.schema import plan_without_scans


@pytest.fixture
async def admin(world: World) -> dict[str, str]:
    return await world.sign_in(await world.user("morgana", superuser=True))


@pytest.fixture
async def knights(world: World) -> None:
    """Bors, who is inactive, Galahad, who is verified, and two Lancelots."""
    await world.user("bors", is_active=False)
    await world.user("galahad", is_verified=True)
    await world.user("lancelot", display_name="Lancelot du Lac")
    await world.user("lance", display_name="LANCELOT")
    await world.user("z_%", display_name="Æthel%_")


async def names(response: Awaitable[Response]) -> list[str]:
    answer = await response
    assert answer.status_code == 200, answer.text
    return [user["email"].split("@")[0] for user in answer.json()]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/users"), ("POST", "/users"), ("DELETE", "/users/01999999-9999-7999-8999-999999999999/sessions")],
)
async def test_route_requires_a_superuser(client: AsyncClient, world: World, method: str, path: str) -> None:
    arthur = await world.sign_in(await world.user("arthur"))
    admin = await world.sign_in(await world.user("morgana", superuser=True))

    answers = [await client.request(method, path, headers=headers) for headers in ({}, arthur, admin)]

    assert [answer.status_code for answer in answers[:2]] == [401, 403]
    assert answers[2].status_code == {"GET": 200, "POST": 422, "DELETE": 404}[method]


@pytest.mark.usefixtures("knights")
class TestList:
    async def test_list_shows_all_users_oldest_first(self, client: AsyncClient, admin: dict[str, str]) -> None:
        listed = (await client.get("/users", headers=admin)).json()

        assert len(listed) == 6
        assert [user["id"] for user in listed] == sorted(user["id"] for user in listed)
        assert all("password" not in str(user) for user in listed)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"email": "lance"}, ["lance", "lancelot"]),
            ({"email": " LANCE"}, ["lance", "lancelot"]),
            ({"email": "lance@camelot.example.com"}, ["lance"]),
            ({"email": "ancelot"}, []),
            ({"email": "%"}, []),
            ({"email": "z_%"}, ["z_%"]),
            ({"name": "lancelot"}, ["lance", "lancelot"]),
            ({"name": "lancelot d"}, ["lancelot"]),
            ({"name": "\N{LATIN CAPITAL LETTER AE}THEL%"}, ["z_%"]),
            ({"name": "_"}, []),
            ({"email": "lance", "name": "lancelot d"}, ["lancelot"]),
            ({"is_active": False}, ["bors"]),
            ({"is_superuser": True}, ["morgana"]),
            ({"is_superuser": True, "is_active": False}, []),
            ({"is_verified": True, "is_superuser": False}, ["galahad"]),
            ({"email": "b", "is_active": True}, []),
        ],
    )
    async def test_list_filters_by_prefix_and_flag(
        self, client: AsyncClient, admin: dict[str, str], query: dict[str, Any], expected: list[str]
    ) -> None:
        assert await names(client.get("/users", params=query, headers=admin)) == expected

    @pytest.mark.parametrize("query", ["", "name=l", "email=l", "name=lancelot", "is_active=true"])
    async def test_pages_cover_the_whole_list(
        self, client: AsyncClient, world: World, admin: dict[str, str], query: str
    ) -> None:
        await world.user("lanval", display_name="lancelot")  # a name is not unique
        whole = await names(client.get(f"/users?{query}", headers=admin))
        seen, path = [], f"/users?{query}&limit=1"
        while path:
            response = await client.get(path, headers=admin)
            seen += [user["email"].split("@")[0] for user in response.json()]
            path = response.links["next"]["url"] if "next" in response.links else ""

        assert seen == whole
        assert len(whole) > 1

    @pytest.mark.parametrize("query", ["cursor=AAAA", "name=l&cursor=AAAA", "cursor=x"])
    async def test_forged_cursor_is_refused(self, client: AsyncClient, admin: dict[str, str], query: str) -> None:
        response = await client.get(f"/users?{query}", headers=admin)

        assert (response.status_code, response.json()["detail"]) == (400, "BAD_CURSOR")

    @pytest.mark.parametrize("query", ["email=", "name=%00", f"name={'x' * 101}", "is_active=maybe", "limit=0"])
    async def test_invalid_query_is_refused(self, client: AsyncClient, admin: dict[str, str], query: str) -> None:
        assert (await client.get(f"/users?{query}", headers=admin)).status_code == 422


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (UserQuery(email="lance"), "uq_user_email_lower"),
        (UserQuery(name="lance"), "ix_user_display_name_lower_id"),
        (UserQuery(name="lance", cursor="PjAxOTk5OTk5LTk5OTktNzk5OS04OTk5LTk5OTk5OTk5OTk5OSBh"), "display_name_lower"),
        (UserQuery(is_superuser=True), "ix_user_superuser"),
        (UserQuery(is_active=False), "ix_user_inactive"),
        (UserQuery(is_verified=False), "ix_user_unverified"),
        (UserQuery(), "pk_user"),
    ],
)
async def test_each_list_uses_an_index(world: World, query: UserQuery, index: str) -> None:
    """So a page costs the same with a million users."""
    plan = await plan_without_scans(world.sessionmaker, lambda db: list_users(db, query), "sort")

    assert index in plan
    assert "Sort" not in plan


class TestCreate:
    async def test_superuser_creates_a_user_with_flags(
        self, client: AsyncClient, world: World, admin: dict[str, str]
    ) -> None:
        body = {"email": "galahad@camelot.example.com", "password": PASSWORD, "is_verified": True, "is_superuser": True}

        response = await client.post("/users", json=body, headers=admin)

        assert response.status_code == 201
        user = response.json()
        assert (user["is_active"], user["is_superuser"], user["is_verified"]) == (True, True, True)
        assert await names(client.get("/users", headers=await world.sign_in(user["email"]))) == ["morgana", "galahad"]
        events = (await client.get("/audit?action=user.created&limit=1", headers=admin)).json()
        assert events[0]["user_id"] == user["id"] != events[0]["actor_id"]
        assert events[0]["detail"] == {"is_active": True, "is_superuser": True, "is_verified": True}

    async def test_user_without_a_password_gets_a_link_to_choose_one(
        self, client: AsyncClient, world: World, admin: dict[str, str]
    ) -> None:
        created = await client.post("/users", json={"email": "bors@camelot.example.com"}, headers=admin)
        [mail] = await world.mails()
        guesses = [(await world.login("bors@camelot.example.com", guess)).status_code for guess in ("!", PASSWORD)]
        chosen = await client.post("/auth/reset-password", json={"token": mail.token, "password": PASSWORD})

        assert (created.status_code, created.json()["is_verified"]) == (201, False)
        assert mail[:2] == (MailKind.RESET, "bors@camelot.example.com")
        assert mail.detail == {"first_password": True}
        assert guesses == [400, 400]
        assert chosen.status_code == 200
        user = (await client.get("/users/me", headers=await world.sign_in("bors@camelot.example.com"))).json()
        assert user["is_verified"] is True

    async def test_inactive_user_without_a_password_gets_no_mail(
        self, client: AsyncClient, world: World, admin: dict[str, str]
    ) -> None:
        body = {"email": "bors@camelot.example.com", "is_active": False}

        assert (await client.post("/users", json=body, headers=admin)).status_code == 201
        assert await world.mails() == []

    @pytest.mark.parametrize("password", ["", None])
    async def test_empty_password_is_refused(
        self, client: AsyncClient, admin: dict[str, str], password: str | None
    ) -> None:
        """A client that has lost the password of a form must not send mail instead."""
        body = {"email": "bors@camelot.example.com", "password": password}

        assert (await client.post("/users", json=body, headers=admin)).status_code == 422

    async def test_flags_are_optional(self, client: AsyncClient, world: World, admin: dict[str, str]) -> None:
        body = {"email": "bors@camelot.example.com", "password": PASSWORD, "is_active": False}

        user = (await client.post("/users", json=body, headers=admin)).json()

        assert (user["is_active"], user["is_superuser"], user["is_verified"]) == (False, False, False)
        assert (await world.login(user["email"])).status_code == 400

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"email": "MORGANA@camelot.example.com"}, "REGISTER_USER_ALREADY_EXISTS"),
            ({"password": "short"}, "REGISTER_INVALID_PASSWORD"),
        ],
    )
    async def test_creation_follows_the_rules_of_registration(
        self, client: AsyncClient, admin: dict[str, str], change: dict[str, str], code: str
    ) -> None:
        body = {"email": "bors@camelot.example.com", "password": PASSWORD} | change

        response = await client.post("/users", json=body, headers=admin)

        assert (response.status_code, response.json()["detail"]) == (400, code)


async def test_superuser_ends_all_sessions_of_a_user(client: AsyncClient, world: World, admin: dict[str, str]) -> None:
    arthur = await world.user("arthur")
    tickets = [await world.sign_in(arthur) for _ in range(2)]

    response = await client.delete(f"/users/{arthur.id}/sessions", headers=admin)

    assert response.status_code == 204
    assert [(await client.get("/users/me", headers=each)).status_code for each in tickets] == [401, 401]
    assert (await client.get("/users/me", headers=admin)).status_code == 200
    await world.sign_in(arthur)
    (event,) = (await client.get(f"/audit?action=sessions.revoked&user_id={arthur.id}", headers=admin)).json()
    assert event["detail"] == {"count": 2}


async def test_concurrent_removals_leave_one_superuser(busy_world: World) -> None:
    """They deactivate, demote and delete each other."""
    people = [await busy_world.user(name, superuser=True) for name in ("morgana", "merlin", "nimue")]
    tickets = [await busy_world.sign_in(person) for person in people]
    client = busy_world.client

    answers = await asyncio.gather(
        client.patch(f"/users/{people[1].id}", json={"is_active": False}, headers=tickets[0]),
        client.patch(f"/users/{people[2].id}", json={"is_superuser": False}, headers=tickets[1]),
        client.delete(f"/users/{people[0].id}", headers=tickets[2]),
    )

    assert {answer.status_code for answer in answers} <= {200, 204, 401, 403, 404, 409}
    async with transaction(busy_world.sessionmaker) as db:
        remaining = await list_users(db, UserQuery(is_superuser=True, is_active=True))
    assert len(remaining.rows) >= 1
