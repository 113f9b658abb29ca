"""What a service account may do: what its role and the scopes of its token both allow."""

from typing import Any

import pytest
from httpx2 import Response

from support.service_accounts import Squire


class Program:
    """The service account with a role in its private group, and tokens of one secret."""

    def __init__(self, squire: Squire, headers: dict[str, str]) -> None:
        self.squire = squire
        self.headers = headers

    async def ask(self, method: str, path: str = "", json: Any = None) -> Response:
        url = f"/user-groups/{self.squire.group.id}{path}"
        return await self.squire.world.client.request(method, url, json=json, headers=self.headers)


async def program(squire: Squire, role: str, *scopes: str, **form: str) -> Program:
    await squire.ask("PATCH", f"/../users/{squire.id}", json={"role": role})
    return Program(squire, await squire.sign_in(await squire.secret(*scopes), **form))


async def test_members_read_lists_the_members_of_its_private_group_and_no_more(squire: Squire) -> None:
    reader = await program(squire, "admin", "members:read")
    bors = squire.people["bors"].id

    members = await reader.ask("GET", "/users")

    assert [member["email"].partition("@")[0] for member in members.json()] == ["arthur", "kay", "bors", squire.id]
    refused = [
        await reader.ask("GET"),
        await reader.ask("PATCH", json={"name": "Squires"}),
        await reader.ask("PATCH", f"/users/{bors}", {"role": "admin"}),
        await reader.ask("DELETE", f"/users/{bors}"),
        await squire.world.client.get("/users/me", headers=reader.headers),
        await squire.world.client.post("/user-groups", json={"name": "Squires"}, headers=reader.headers),
    ]
    expected = (403, "INSUFFICIENT_SCOPE")
    assert [(response.status_code, response.json()["detail"]) for response in refused] == [expected] * len(refused)
    assert refused[0].headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="groups:read"'


async def test_members_write_changes_roles_where_its_own_role_allows_it(squire: Squire) -> None:
    bors = squire.people["bors"].id
    member = await program(squire, "member", "members:write")
    as_member = await member.ask("PATCH", f"/users/{bors}", {"role": "admin"})
    admin = await program(squire, "admin", "members:write")
    as_admin = await admin.ask("PATCH", f"/users/{bors}", {"role": "admin"})
    owner = await admin.ask("PATCH", f"/users/{bors}", {"role": "owner"})
    removed = await admin.ask("DELETE", f"/users/{bors}")

    assert (as_member.status_code, as_member.json()["detail"]) == (403, "GROUP_FORBIDDEN")
    assert (as_admin.status_code, as_admin.json()["role"]) == (200, "admin")
    assert (owner.status_code, owner.json()["detail"]) == (403, "GROUP_FORBIDDEN")
    assert removed.status_code == 204


async def test_change_of_a_role_is_mailed_to_the_member_and_recorded_with_the_program(squire: Squire) -> None:
    admin = await program(squire, "admin", "members:write")
    await admin.ask("PATCH", f"/users/{squire.people['bors'].id}", {"role": "admin"})

    (mail,) = await squire.world.mails()
    events = await squire.world.client.get(
        "/audit?action=membership.changed&limit=1", headers=squire.headers["morgana"]
    )

    assert mail.email == squire.people["bors"].email
    assert events.json()[0]["actor_id"] == squire.id


async def test_scope_of_a_token_is_narrower_than_that_of_its_secret(squire: Squire) -> None:
    reader = await program(squire, "admin", "members:read", "groups:read", scope="groups:read")

    assert (await reader.ask("GET")).status_code == 200
    assert (await reader.ask("GET", "/users")).json()["detail"] == "INSUFFICIENT_SCOPE"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/service-accounts", {"name": "Page"}),
        ("GET", "/service-accounts", None),
        ("PATCH", "/service-accounts/{id}", {"name": "Page"}),
        ("DELETE", "/service-accounts/{id}", None),
        ("POST", "/service-accounts/{id}/secrets", {"name": "x", "scopes": ["members:read"], "expires_in_days": 1}),
        ("GET", "/service-accounts/{id}/secrets", None),
        ("GET", "/../../users/me/export", None),
        ("DELETE", "/../../users/me", None),
        ("PATCH", "/../../users/me", {"display_name": "Page"}),
        ("GET", "/../../auth/sessions", None),
        ("POST", "/../../auth/jwt/logout", None),
    ],
    ids=str,
)
async def test_no_program_manages_programs_and_credentials(
    squire: Squire, method: str, path: str, body: dict[str, Any] | None
) -> None:
    every = ("profile:read", "groups:read", "groups:write", "members:read", "members:write", "introspect")
    admin = await program(squire, "admin", *every)

    response = await admin.ask(method, path.format(id=squire.id), body)

    assert (response.status_code, response.json()["detail"]) == (403, "NOT_WITH_A_KEY")


async def test_group_that_a_program_would_own_is_refused(squire: Squire) -> None:
    admin = await program(squire, "admin", "groups:write")

    response = await squire.world.client.post("/user-groups", json={"name": "Squires"}, headers=admin.headers)

    assert (response.status_code, response.json()["detail"]) == (409, "NOT_FOR_SERVICE_ACCOUNTS")
