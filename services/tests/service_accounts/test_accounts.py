"""Service accounts: a group's admins manage them, and they outlive the user who created them."""

import asyncio
import uuid
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, func, select

from accounts.db.errors import violated
from accounts.db.session import transaction
from accounts.domain.service_accounts import accounts
from accounts.models import AuditEvent, Membership, Role, User, UserGroup, UserSession, Visibility
from support.people import PASSWORD, World
from support.service_accounts import Squire

NO_DETAIL: dict[str, Any] = {}


async def events(world: World, prefix: str) -> list[tuple[str, uuid.UUID | None, int | None, dict[str, Any]]]:
    async with transaction(world.sessionmaker) as db:
        rows = await db.exec(
            select(AuditEvent).where(col(AuditEvent.action).startswith(prefix)).order_by(col(AuditEvent.id))
        )
        return [(row.action, row.user_id, row.group_id, row.detail) for row in rows]


async def count(world: World, entity: Any) -> int:
    async with transaction(world.sessionmaker) as db:
        return (await db.exec(select(func.count()).select_from(entity))).one()


async def member_counts(world: World) -> dict[str, tuple[int, int]]:
    """Return for each group the stored and the counted number of members."""
    async with transaction(world.sessionmaker) as db:
        counted = select(func.count()).where(col(Membership.group_id) == UserGroup.id).scalar_subquery()
        rows = await db.exec(select(UserGroup.name, UserGroup.member_count, counted))
        return {name: (stored, number) for name, stored, number in rows}


class TestCreate:
    async def test_it_is_a_member_with_the_role_and_without_password_mail_and_power(self, squire: Squire) -> None:
        account_id = uuid.UUID(await squire.create("Page", "admin"))

        async with transaction(squire.world.sessionmaker) as db:
            account = await db.get_one(User, account_id)
            membership = await db.get_one(Membership, (squire.group.id, account_id))
        assert (account.display_name, account.email) == ("Page", f"{account_id}@service.invalid")
        assert (account.hashed_password, account.is_superuser, account.is_active) == ("!", False, True)
        assert (account.owner_group_id, membership.role) == (squire.group.id, Role.ADMIN)
        assert await squire.world.mails() == []

    async def test_members_are_counted_and_events_recorded(self, squire: Squire) -> None:
        assert await member_counts(squire.world) == {"Knights": (4, 4)}
        created = [("service_account.created", uuid.UUID(squire.id), squire.group.id, NO_DETAIL)]
        assert await events(squire.world, "service_account.") == created
        assert ("membership.created", uuid.UUID(squire.id), squire.group.id, {"role": "member"}) in await events(
            squire.world, "membership."
        )

    @pytest.mark.parametrize(
        "body", [{"name": ""}, {"name": " "}, {}, {"name": "x" * 101}, {"name": "Page", "role": "owner"}]
    )
    async def test_nameless_and_owning_ones_are_refused(self, squire: Squire, body: dict[str, Any]) -> None:
        response = await squire.ask("POST", json=body)

        assert (response.status_code, response.json()["detail"]) == (422, "REQUEST_INVALID")

    async def test_a_group_has_a_limited_number_also_in_a_race(
        self, busy_squire: Squire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(accounts, "ACCOUNTS_PER_GROUP", 3)

        responses = await asyncio.gather(*[busy_squire.ask("POST", json={"name": "Page"}) for _ in range(6)])

        assert sorted(response.status_code for response in responses) == [201, 201, 409, 409, 409, 409]
        assert {response.json().get("detail") for response in responses} == {None, "TOO_MANY_SERVICE_ACCOUNTS"}


class TestManage:
    async def test_list_is_in_pages_and_shows_the_role(self, squire: Squire) -> None:
        page_id = await squire.create("Page", "admin")
        await squire.ask("DELETE", f"/../users/{squire.id}")

        first = await squire.ask("GET", "?limit=1", "kay")
        second = await squire.ask("GET", f"?limit=1&{first.links['next']['url'].partition('limit=1&')[2]}", "kay")

        assert [(row["id"], row["name"], row["role"]) for row in first.json()] == [(squire.id, "Squire", None)]
        assert [(row["id"], row["name"], row["role"]) for row in second.json()] == [(page_id, "Page", "admin")]

    async def test_rename(self, squire: Squire) -> None:
        renamed = await squire.ask("PATCH", f"/{squire.id}", "kay", {"name": "Herald"})
        again = await squire.ask("PATCH", f"/{squire.id}", "kay", {"name": "Herald"})
        nothing = await squire.ask("PATCH", f"/{squire.id}", "kay", {})

        assert renamed.json() == again.json() == nothing.json()
        assert (renamed.json()["name"], renamed.json()["role"]) == ("Herald", "member")
        changed = ("service_account.changed", uuid.UUID(squire.id), squire.group.id, {"changed": ["display_name"]})
        assert (await events(squire.world, "service_account."))[1:] == [changed]

    async def test_delete_ends_memberships_in_other_groups_and_tokens(self, squire: Squire) -> None:
        other = await squire.world.group("Hunt", members={squire.people["morgana"]: Role.OWNER})
        await squire.world.client.put(
            f"/user-groups/{other.id}/users/{squire.id}", json={"role": "admin"}, headers=squire.headers["morgana"]
        )
        token = await squire.sign_in(await squire.secret())

        assert (await squire.ask("DELETE", f"/{squire.id}", "kay")).status_code == 204

        assert await member_counts(squire.world) == {"Knights": (3, 3), "Hunt": (1, 1)}
        assert (await squire.world.client.get("/users/me", headers=token)).status_code == 401
        assert (await squire.ask("GET")).json() == []
        deleted = [("service_account.deleted", uuid.UUID(squire.id), squire.group.id, NO_DETAIL)]
        assert (await events(squire.world, "service_account."))[1:] == deleted

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PATCH", "", {"name": "x"}),
            ("DELETE", "", None),
            ("GET", "/secrets", None),
            ("POST", "/secrets", {"name": "x", "scopes": ["members:read"], "expires_in_days": 1}),
            ("DELETE", f"/secrets/{uuid.UUID(int=1)}", None),
        ],
    )
    async def test_people_and_accounts_of_other_groups_are_not_found(
        self, squire: Squire, method: str, path: str, body: Any
    ) -> None:
        other = await squire.world.group("Hunt", members={squire.people["arthur"]: Role.OWNER})
        hound = await squire.world.client.post(
            f"/user-groups/{other.id}/service-accounts", json={"name": "Hound"}, headers=squire.headers["arthur"]
        )

        for account_id in (hound.json()["id"], squire.people["bors"].id, uuid.UUID(int=1)):
            response = await squire.ask(method, f"/{account_id}{path}", json=body)
            assert (response.status_code, response.json()["detail"]) == (404, "SERVICE_ACCOUNT_NOT_FOUND")

    async def test_an_admin_can_put_it_back_into_its_group(self, squire: Squire) -> None:
        await squire.ask("DELETE", f"/../users/{squire.id}", "kay")

        put = await squire.ask("PUT", f"/../users/{squire.id}", "kay", {"role": "admin"})

        assert (put.status_code, put.json()["role"]) == (201, "admin")

    async def test_superuser_can_add_it_to_another_group_but_not_as_an_owner(self, squire: Squire) -> None:
        other = await squire.world.group("Hunt", members={squire.people["morgana"]: Role.OWNER})
        path, headers = f"/user-groups/{other.id}/users/{squire.id}", squire.headers["morgana"]

        as_owner = await squire.world.client.put(path, json={"role": "owner"}, headers=headers)
        added = await squire.world.client.put(path, json={"role": "member"}, headers=headers)

        assert (as_owner.status_code, as_owner.json()["detail"]) == (409, "NOT_FOR_SERVICE_ACCOUNTS")
        assert (added.status_code, added.json()["role"]) == (201, "member")


class TestOwnership:
    async def test_it_outlives_the_user_who_created_it(self, squire: Squire) -> None:
        token = await squire.sign_in(await squire.secret("profile:read"))
        transfer = await squire.ask("POST", "/../transfer", json={"user_id": str(squire.people["kay"].id)})
        assert transfer.status_code == 200
        body = {"current_password": PASSWORD}
        await squire.world.client.request("DELETE", "/users/me", json=body, headers=squire.headers["arthur"])

        me = await squire.world.client.get("/users/me", headers=token)

        assert (me.status_code, me.json()["id"]) == (200, squire.id)
        assert [row["id"] for row in (await squire.ask("GET", who="kay")).json()] == [squire.id]

    async def test_it_is_deleted_with_its_group_and_leaves_other_groups(self, squire: Squire) -> None:
        other = await squire.world.group("Hunt", members={squire.people["morgana"]: Role.OWNER})
        await squire.world.join(other.id, User(id=uuid.UUID(squire.id)), Role.ADMIN)
        page_id = await squire.create("Page")
        token = await squire.sign_in(await squire.secret())

        response = await squire.world.client.delete(f"/user-groups/{squire.group.id}", headers=squire.headers["arthur"])

        assert response.status_code == 204
        assert await member_counts(squire.world) == {"Hunt": (1, 1)}
        assert (await squire.world.client.get("/users/me", headers=token)).status_code == 401
        deleted = [event[1] for event in await events(squire.world, "service_account.deleted")]
        assert deleted == [uuid.UUID(squire.id), uuid.UUID(page_id)]

    async def test_deactivation_by_a_superuser_ends_its_tokens_and_refuses_new_ones(self, squire: Squire) -> None:
        secret = await squire.secret()
        token = await squire.sign_in(secret)
        path, headers = f"/users/{squire.id}", squire.headers["morgana"]

        deactivated = await squire.world.client.patch(path, json={"is_active": False}, headers=headers)

        assert deactivated.status_code == 200
        assert (await squire.world.client.get("/users/me", headers=token)).status_code == 401
        assert (await squire.request_token(secret)).json()["error"] == "invalid_client"
        assert [row["is_active"] for row in (await squire.ask("GET")).json()] == [False]

        await squire.world.client.patch(path, json={"is_active": True}, headers=headers)

        assert await count(squire.world, select(UserSession).where(UserSession.kind == "service").subquery()) == 0
        assert (await squire.request_token(secret)).json()["error"] == "invalid_client"  # its secrets were revoked
        assert (await squire.request_token(await squire.secret())).status_code == 200

    async def test_superuser_can_delete_it_like_any_user(self, squire: Squire) -> None:
        response = await squire.world.client.delete(f"/users/{squire.id}", headers=squire.headers["morgana"])

        assert response.status_code == 204
        assert await member_counts(squire.world) == {"Knights": (3, 3)}

    async def test_superusers_find_it_among_the_users(self, squire: Squire) -> None:
        response = await squire.world.client.get("/users?name=Squire", headers=squire.headers["morgana"])

        assert [user["email"] for user in response.json()] == [f"{squire.id}@service.invalid"]


@pytest.mark.parametrize(
    "change", ["is_superuser = true", "hashed_password = '$argon2id$'", "email = 'squire@camelot.example.com'"]
)
async def test_the_database_refuses_to_make_it_a_person(squire: Squire, change: str) -> None:
    with pytest.raises(IntegrityError) as refused:
        await squire.world.sql(f'UPDATE "user" SET {change} WHERE owner_group_id IS NOT NULL')  # noqa: S608  # constants

    assert violated(refused.value) == "ck_user_service_account"


async def test_visibility_of_a_foreign_group_is_not_revealed(squire: Squire) -> None:
    private = await squire.ask("GET", who="mordred")
    public = await squire.world.group("Hunt", Visibility.PUBLIC)
    response = await squire.world.client.get(
        f"/user-groups/{public.id}/service-accounts", headers=squire.headers["mordred"]
    )

    assert (private.status_code, private.json()["detail"]) == (404, "GROUP_NOT_FOUND")
    assert (response.status_code, response.json()["detail"]) == (403, "GROUP_FORBIDDEN")
