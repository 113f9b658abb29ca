"""Creating and listing the invitations of a group."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from accounts.api.app import create_app
from accounts.models import Role, Visibility
from support.invitations import GALAHAD, Table, lasts, table_of
from support.member_files import CSV
from support.people import World

LANCELOT = "lancelot@camelot.example.com"


@pytest.fixture
async def busy_table(busy_world: World) -> Table:
    return await table_of(busy_world)


@pytest.fixture
async def statements(engine: AsyncEngine) -> AsyncIterator[list[str]]:
    """The statements that run, without savepoints."""
    statements: list[str] = []

    def note(*args: Any) -> None:
        if "SAVEPOINT" not in args[2]:
            statements.append(args[2])

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine.sync_engine, "before_cursor_execute", note)


class TestInviting:
    async def test_inviting_mails_a_token_that_the_response_does_not_show(self, table: Table) -> None:
        response = await table.invite(f" {GALAHAD.title()} ", note="  There is\na seat.", expires_in_days=30)

        shown = response.json()
        assert response.status_code == 201
        assert (await table.world.tokens())[0][:2] == ("invitation", "Galahad@camelot.example.com")
        assert len(await table.world.token()) == 43
        assert lasts(shown) == timedelta(30)
        assert shown | {"inviter": shown["inviter"]["display_name"]} == {
            "id": shown["id"], "email": "Galahad@camelot.example.com", "user_id": None, "role": "member",
            "note": "There is\na seat.", "inviter": "Guinevere", "created_at": shown["created_at"],
            "expires_at": shown["expires_at"],
        }  # fmt: skip

    @pytest.mark.parametrize(
        "more",
        [{"expires_in_days": 0}, {"expires_in_days": 31}, {"note": "x" * 501}, {"note": "\0"}, {"role": "king"},
         {"email": "galahad"}, {"email": None}, {"role": None}],
    )  # fmt: skip
    async def test_invalid_invitation_is_refused(self, table: Table, more: dict[str, Any]) -> None:
        assert (await table.invite(**{"email": GALAHAD} | more)).status_code == 422

    async def test_inviting_requires_the_admin_role_and_for_owners_the_owner_role(self, table: Table) -> None:
        morgana = await table.world.sign_in(await table.world.user("morgana", superuser=True))

        for headers, role, answer in (
            (table.member, Role.MEMBER, (403, "GROUP_FORBIDDEN")),
            (table.admin, Role.OWNER, (403, "GROUP_FORBIDDEN")),
            (table.admin, Role.ADMIN, (201, None)),
            (table.owner, Role.OWNER, (201, None)),
            (morgana, Role.OWNER, (201, None)),
            ({}, Role.MEMBER, (401, "UNAUTHORIZED")),
        ):
            response = await table.invite(
                f"{len(await table.world.tokens())}@x.example.com", role=role, headers=headers
            )
            assert (response.status_code, response.json().get("detail")) == answer

    async def test_inviting_requires_a_verified_email(self, table: Table) -> None:
        await table.world.sql("UPDATE \"user\" SET is_verified = false WHERE email LIKE 'guinevere%'")
        await table.invite(GALAHAD, headers=table.owner)
        client, [shown] = table.world.client, (await table.world.client.get(table.path, headers=table.owner)).json()
        members = f"/user-groups/{table.group.id}/users"
        lancelot = await table.world.user("lancelot")

        answers = [
            await table.invite(LANCELOT),
            await client.post(f"{table.path}/{shown['id']}/resend", headers=table.admin),
            await client.put(f"{members}/{lancelot.id}", json={"role": "member"}, headers=table.admin),
            await client.post(f"{members}/import", content=f"email\n{LANCELOT}\n", headers=table.admin | CSV),
        ]

        expected = {(403, "VERIFIED_EMAIL_REQUIRED")}
        assert {(each.status_code, each.json()["detail"]) for each in answers} == expected
        assert len(await table.world.tokens()) == 1

    async def test_private_group_is_not_found_by_users_who_may_not_see_it(self, table: Table) -> None:
        mordred = await table.world.sign_in(await table.world.user("mordred"))
        invitation = (await table.invite(GALAHAD)).json()["id"]
        client, one = table.world.client, f"{table.path}/{invitation}"

        answers = [
            await client.get(table.path, headers=mordred),
            await table.invite(LANCELOT, headers=mordred),
            await client.post(f"{one}/resend", headers=mordred),
            await client.delete(one, headers=mordred),
            await client.get(f"/user-groups/{table.group.id + 1}/invitations", headers=mordred),
        ]

        assert {(each.status_code, each.json()["detail"]) for each in answers} == {(404, "GROUP_NOT_FOUND")}

    async def test_email_address_has_one_open_invitation_per_group(self, table: Table) -> None:
        other = await table.world.group("Knights", Visibility.PRIVATE)
        await table.token(GALAHAD)

        again = await table.invite(GALAHAD.upper(), role=Role.ADMIN)
        morgana = await table.world.sign_in(await table.world.user("morgana", superuser=True))
        elsewhere = await table.world.client.post(
            f"/user-groups/{other.id}/invitations", json={"email": GALAHAD}, headers=morgana
        )

        assert (again.status_code, again.json()["detail"]) == (409, "INVITATION_EXISTS")
        assert elsewhere.status_code == 201
        assert len(await table.world.tokens()) == 2

    async def test_expired_invitation_is_replaced(self, table: Table) -> None:
        await table.token(GALAHAD)
        await table.expire()

        await table.token(GALAHAD.upper(), role=Role.ADMIN)

        shown = (await table.world.client.get(table.path, headers=table.admin)).json()
        assert [(each["email"], each["role"]) for each in shown] == [("GALAHAD@camelot.example.com", "admin")]

    async def test_member_cannot_be_invited(self, table: Table) -> None:
        answer = await table.invite("BORS@camelot.example.com")

        assert (answer.status_code, answer.json()["detail"]) == (409, "ALREADY_MEMBER")

    async def test_response_and_statements_are_the_same_with_and_without_an_account(
        self, table: Table, statements: list[str]
    ) -> None:
        await table.world.user("galahad")
        await table.world.user("lancelot", is_active=False)
        outcomes = []
        for email in (GALAHAD, LANCELOT, "nobody@camelot.example.com"):
            statements.clear()
            answer = await table.invite(email)
            outcomes.append((answer.status_code, answer.headers.keys(), answer.json().keys(), statements.copy()))

        assert outcomes[0] == outcomes[1] == outcomes[2]

    async def test_concurrent_invitations_of_one_email_create_one(self, busy_table: Table) -> None:
        answers = await asyncio.gather(*(busy_table.invite(email) for email in (GALAHAD, GALAHAD.upper())))

        assert sorted(answer.status_code for answer in answers) == [201, 409]
        assert len(await busy_table.world.tokens()) == 1


class TestList:
    async def test_list_shows_open_invitations_in_pages(self, table: Table) -> None:
        for number in range(5):
            await table.token(f"{number}@camelot.example.com", headers=table.owner)
        await table.expire()
        for number in range(5, 8):
            await table.token(f"{number}@camelot.example.com", headers=table.owner)
        await table.world.sql("UPDATE invitation SET inviter_id = NULL WHERE email LIKE '6%'")
        client, path, seen = table.world.client, f"{table.path}?limit=2", []
        while path:
            response = await client.get(path, headers=table.admin)
            seen += response.json()
            path = response.links["next"]["url"] if "next" in response.links else ""
        back = await client.get(response.links["prev"]["url"], headers=table.admin)

        assert [each["email"][0] for each in seen] == ["5", "6", "7"]
        assert [each["inviter"] and each["inviter"]["display_name"] for each in seen] == ["Arthur", None, "Arthur"]
        assert back.json() == seen[:2]
        assert not any("token" in name for each in seen for name in each)

    async def test_list_requires_the_admin_role(self, table: Table) -> None:
        assert (await table.world.client.get(table.path, headers=table.member)).status_code == 403

    @pytest.mark.parametrize("cursor", ["x", "PjA", "Png", "PjkyMjMzNzIwMzY4NTQ3NzU4MDg"])
    async def test_invalid_cursor_is_refused(self, table: Table, cursor: str) -> None:
        answer = await table.world.client.get(table.path, params={"cursor": cursor}, headers=table.admin)

        assert (answer.status_code, answer.json()["detail"]) == (400, "BAD_CURSOR")


def test_openapi_schemas_have_examples() -> None:
    schemas = create_app().openapi()["components"]["schemas"]

    for name in ("InvitationCreate", "InvitationRead", "OwnInvitationRead", "RegistrationCreate"):
        for field, schema in schemas[name]["properties"].items():
            assert schema.keys() & {"examples", "$ref", "default", "anyOf", "format"}, (name, field)
    assert "invitation" not in schemas["ManagedUserCreate"]["properties"]
