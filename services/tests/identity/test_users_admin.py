"""What superusers do about users."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from accounts.db.session import transaction
from accounts.domain.identity.user_search import list_users
from accounts.schemas.identity.users import UserQuery
from support.people import PASSWORD, World


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
async def test_it_is_for_superusers(client: AsyncClient, world: World, method: str, path: str) -> None:
    arthur = await world.sign_in(await world.user("arthur"))
    admin = await world.sign_in(await world.user("morgana", superuser=True))

    answers = [await client.request(method, path, headers=headers) for headers in ({}, arthur, admin)]

    assert [answer.status_code for answer in answers[:2]] == [401, 403]
    assert answers[2].status_code == {"GET": 200, "POST": 422, "DELETE": 404}[method]


@pytest.mark.usefixtures("knights")
class TestList:
    async def test_shows_everybody_the_oldest_first(self, client: AsyncClient, admin: dict[str, str]) -> None:
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
    async def test_looks_for(
        self, client: AsyncClient, admin: dict[str, str], query: dict[str, Any], expected: list[str]
    ) -> None:
        assert await names(client.get("/users", params=query, headers=admin)) == expected

    @pytest.mark.parametrize("query", ["", "name=l", "email=l", "name=lancelot", "is_active=true"])
    async def test_pages_follow_one_another_to_the_end(
        self, client: AsyncClient, world: World, admin: dict[str, str], query: str
    ) -> None:
        await world.user("lanval", display_name="lancelot")  # one name is no key
        whole = await names(client.get(f"/users?{query}", headers=admin))
        seen, path = [], f"/users?{query}&limit=1"
        while path:
            response = await client.get(path, headers=admin)
            seen += [user["email"].split("@")[0] for user in response.json()]
            path = response.links["next"]["url"] if "next" in response.links else ""

        assert seen == whole
        assert len(whole) > 1

    @pytest.mark.parametrize("query", ["cursor=AAAA", "name=l&cursor=AAAA", "cursor=x"])
    async def test_refuses_a_made_up_cursor(self, client: AsyncClient, admin: dict[str, str], query: str) -> None:
        response = await client.get(f"/users?{query}", headers=admin)

        assert (response.status_code, response.json()["detail"]) == (400, "BAD_CURSOR")

    @pytest.mark.parametrize("query", ["email=", "name=%00", f"name={'x' * 101}", "is_active=maybe", "limit=0"])
    async def test_refuses_what_is_no_query(self, client: AsyncClient, admin: dict[str, str], query: str) -> None:
        assert (await client.get(f"/users?{query}", headers=admin)).status_code == 422


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (UserQuery(email="lance"), "uq_user_email_lower"),
        (UserQuery(name="lance"), "ix_user_display_name_lower_id"),
        (UserQuery(name="lance", cursor="PjAxOTk5OTk5LTk5OTktNzk5OS04OTk5LTk5OTk5OTk5OTk5OSBh"), "display_name_lower"),
        (UserQuery(is_superuser=True), "ix_user_superuser"),
        (UserQuery(is_active=False), "ix_user_inactive"),
        (UserQuery(), "pk_user"),
    ],
)
async def test_each_list_follows_an_index(world: World, engine: AsyncEngine, query: UserQuery, index: str) -> None:
    """So it costs the same at a million users. Among few a scan is cheaper, and is forbidden here."""
    run: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        run.append((arguments[2], arguments[3]))

    async with transaction(world.sessionmaker) as db:
        connection = await db.connection()
        for dearer in ("seqscan", "bitmapscan", "sort"):
            await connection.execute(text(f"SET LOCAL enable_{dearer} = off"))
        event.listen(engine.sync_engine, "before_cursor_execute", note)
        await list_users(db, query)
        event.remove(engine.sync_engine, "before_cursor_execute", note)
        ((statement, values),) = run
        plan = str((await connection.exec_driver_sql(f"EXPLAIN {statement}", values)).all())

    assert index in plan
    assert "Sort" not in plan


class TestCreate:
    async def test_makes_a_user_with_flags(self, client: AsyncClient, world: World, admin: dict[str, str]) -> None:
        body = {"email": "galahad@camelot.example.com", "password": PASSWORD, "is_verified": True, "is_superuser": True}

        response = await client.post("/users", json=body, headers=admin)

        assert response.status_code == 201
        made = response.json()
        assert (made["is_active"], made["is_superuser"], made["is_verified"]) == (True, True, True)
        assert await names(client.get("/users", headers=await world.sign_in(made["email"]))) == ["morgana", "galahad"]
        events = (await client.get("/audit?action=user.created&limit=1", headers=admin)).json()
        assert events[0]["user_id"] == made["id"] != events[0]["actor_id"]
        assert events[0]["detail"] == {"is_active": True, "is_superuser": True, "is_verified": True}

    async def test_may_be_without_them(self, client: AsyncClient, world: World, admin: dict[str, str]) -> None:
        body = {"email": "bors@camelot.example.com", "password": PASSWORD, "is_active": False}

        made = (await client.post("/users", json=body, headers=admin)).json()

        assert (made["is_active"], made["is_superuser"], made["is_verified"]) == (False, False, False)
        assert (await world.login(made["email"])).status_code == 400

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"email": "MORGANA@camelot.example.com"}, "REGISTER_USER_ALREADY_EXISTS"),
            ({"password": "short"}, "REGISTER_INVALID_PASSWORD"),
        ],
    )
    async def test_obeys_the_rules_of_signing_up(
        self, client: AsyncClient, admin: dict[str, str], change: dict[str, str], code: str
    ) -> None:
        body = {"email": "bors@camelot.example.com", "password": PASSWORD} | change

        response = await client.post("/users", json=body, headers=admin)

        assert (response.status_code, response.json()["detail"]) == (400, code)


async def test_signs_a_user_out_everywhere(client: AsyncClient, world: World, admin: dict[str, str]) -> None:
    arthur = await world.user("arthur")
    tickets = [await world.sign_in(arthur) for _ in range(2)]

    response = await client.delete(f"/users/{arthur.id}/sessions", headers=admin)

    assert response.status_code == 204
    assert [(await client.get("/users/me", headers=each)).status_code for each in tickets] == [401, 401]
    assert (await client.get("/users/me", headers=admin)).status_code == 200
    await world.sign_in(arthur)
    (event,) = (await client.get(f"/audit?action=sessions.revoked&user_id={arthur.id}", headers=admin)).json()
    assert event["detail"] == {"count": 2}


async def test_of_superusers_who_remove_each_other_one_stays(busy_world: World) -> None:
    """Each in another way: by deactivating, demoting and deleting the next one."""
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
        left = await list_users(db, UserQuery(is_superuser=True, is_active=True))
    assert len(left.rows) >= 1
