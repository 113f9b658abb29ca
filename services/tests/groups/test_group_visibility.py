"""Which groups, members and email addresses a caller can see."""

import uuid
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from httpx2 import AsyncClient, Response

from accounts.db.session import transaction
from accounts.models import Role, UserGroup, Visibility
from support.people import World
from support.schema import recorded_statements


@pytest.fixture
async def table(world: World) -> UserGroup:
    """A public group of four."""
    knights = {await world.user(name): Role.MEMBER for name in ("bors", "galahad", "lancelot")}
    return await world.group("Round Table", members={await world.user("arthur"): Role.OWNER, **knights})


@pytest.fixture
async def secret(world: World) -> UserGroup:
    """A private group of one."""
    return await world.group("Secret", Visibility.PRIVATE, members={await world.user("mordred"): Role.ADMIN})


class TestMembers:
    async def test_anyone_can_list_members_of_a_public_group_without_addresses(
        self, client: AsyncClient, table: UserGroup
    ) -> None:
        response = await client.get(f"/user-groups/{table.id}/users")

        assert response.status_code == 200
        members = response.json()
        assert {member["display_name"]: member["role"] for member in members} == {
            "Arthur": "owner", "Bors": "member", "Galahad": "member", "Lancelot": "member",
        }  # fmt: skip
        assert all(set(member) == {"id", "display_name", "role", "joined_at"} for member in members)

    @pytest.mark.parametrize(("name", "superuser"), [("morgana", True), ("arthur", False)])
    async def test_members_and_superusers_can_see_addresses(
        self, client: AsyncClient, world: World, table: UserGroup, *, name: str, superuser: bool
    ) -> None:
        caller = await world.user(name, superuser=True) if superuser else f"{name}@camelot.example.com"
        headers = await world.sign_in(caller)

        members = (await client.get(f"/user-groups/{table.id}/users", headers=headers)).json()

        assert {member["email"].split("@")[0] for member in members} == {"arthur", "bors", "galahad", "lancelot"}

    async def test_other_users_cannot_see_addresses(self, client: AsyncClient, world: World, table: UserGroup) -> None:
        headers = await world.sign_in(await world.user("mordred"))

        members = (await client.get(f"/user-groups/{table.id}/users", headers=headers)).json()

        assert members
        assert not any("email" in member for member in members)

    @pytest.mark.parametrize("path", ["/user-groups/{}", "/user-groups/{}/users"])
    async def test_private_group_looks_like_an_unknown_id_to_outsiders(
        self, client: AsyncClient, world: World, secret: UserGroup, path: str
    ) -> None:
        outsider = await world.sign_in(await world.user("arthur"))

        answers = [
            await client.get(path.format(secret.id)),
            await client.get(path.format(secret.id), headers=outsider),
            await client.get(path.format(secret.id + 1)),
            await client.get(path.format(2**63 - 1)),
        ]

        assert {answer.status_code for answer in answers} == {404}
        assert {answer.text for answer in answers} == {answers[0].text}
        assert answers[0].json()["detail"] == "GROUP_NOT_FOUND"

    @pytest.mark.parametrize("path", ["/user-groups/{}", "/user-groups/{}/users"])
    async def test_members_and_superusers_can_see_a_private_group(
        self, client: AsyncClient, world: World, secret: UserGroup, path: str
    ) -> None:
        await world.user("morgana", superuser=True)
        for name in ("mordred", "morgana"):
            headers = await world.sign_in(f"{name}@camelot.example.com")
            assert (await client.get(path.format(secret.id), headers=headers)).status_code == 200

    async def test_page_of_members_takes_two_statements_for_any_number_of_rows(
        self, client: AsyncClient, world: World, table: UserGroup, secret: UserGroup
    ) -> None:
        headers = await world.sign_in(await world.user("morgana", superuser=True))

        counts = [
            await statements(world, partial(client.get, f"/user-groups/{group.id}/users", headers=headers))
            for group in (secret, table)
        ]

        assert counts == [2, 2]  # the caller and the group; the page


class TestPages:
    async def test_next_links_lead_through_all_pages(self, client: AsyncClient, table: UserGroup) -> None:
        seen, path = [], f"/user-groups/{table.id}/users?limit=3"
        lengths = []
        while path:
            response = await client.get(path)
            lengths.append(len(response.json()))
            seen += [member["id"] for member in response.json()]
            path = response.links["next"]["url"] if "next" in response.links else ""

        assert lengths == [3, 1]
        assert seen == sorted(seen, key=uuid.UUID)
        assert len(set(seen)) == 4

    async def test_full_last_page_has_no_link(self, client: AsyncClient, table: UserGroup) -> None:
        response = await client.get(f"/user-groups/{table.id}/users?limit=4")

        assert len(response.json()) == 4
        assert "Link" not in response.headers

    @pytest.mark.parametrize("limit", ["0", "-1", "201", "1e9", "x", ""])
    async def test_limit_outside_of_1_to_200_is_rejected(
        self, client: AsyncClient, table: UserGroup, limit: str
    ) -> None:
        assert (await client.get(f"/user-groups/{table.id}/users", params={"limit": limit})).status_code == 422

    @pytest.mark.parametrize("cursor", ["x", "AAAA", "not-a-cursor", "z" * 999])
    async def test_forged_cursor_is_rejected(self, client: AsyncClient, table: UserGroup, cursor: str) -> None:
        response = await client.get(f"/user-groups/{table.id}/users", params={"cursor": cursor})

        assert (response.status_code, response.json()["detail"]) == (400, "BAD_CURSOR")

    async def test_cursor_that_is_not_text_is_rejected(self, client: AsyncClient) -> None:
        for cursor in ("AAAA", "_w"):
            assert (await client.get("/user-groups", params={"cursor": cursor})).status_code == 400


class TestList:
    @pytest.mark.usefixtures("table", "secret")
    async def test_list_has_public_and_own_groups_by_name(self, client: AsyncClient, world: World) -> None:
        await world.group("archers")
        mordred = await world.sign_in("mordred@camelot.example.com")
        morgana = await world.sign_in(await world.user("morgana", superuser=True))

        assert await names(client.get("/user-groups")) == ["archers", "Round Table"]
        assert await names(client.get("/user-groups", headers=mordred)) == ["archers", "Round Table", "Secret"]
        assert await names(client.get("/user-groups", headers=morgana)) == ["archers", "Round Table", "Secret"]

    async def test_list_of_groups_is_paged_in_alphabetical_order(self, client: AsyncClient, world: World) -> None:
        for name in ("Çelik", "archers", "Beginners"):
            await world.group(name)

        first = await client.get("/user-groups?limit=2")
        second = await client.get(first.links["next"]["url"])

        assert [group["name"] for group in first.json() + second.json()] == ["archers", "Beginners", "Çelik"]

    @pytest.mark.usefixtures("table")
    async def test_list_of_groups_ignores_an_invalid_token(self, client: AsyncClient) -> None:
        assert await names(client.get("/user-groups", headers={"Authorization": "Bearer x"})) == ["Round Table"]


class TestRead:
    async def test_public_group_can_be_read_by_anyone(self, client: AsyncClient, table: UserGroup) -> None:
        group = (await client.get(f"/user-groups/{table.id}")).json()

        assert (group["id"], group["name"], group["visibility"]) == (table.id, "Round Table", "public")

    @pytest.mark.parametrize(
        "group_id", ["0", "-1", str(2**63), str(10**20), "abc", "%00", "%EF%BC%91", "1.5", "9" * 5000]
    )
    async def test_invalid_group_id_is_rejected(self, client: AsyncClient, group_id: str) -> None:
        for path in (f"/user-groups/{group_id}", f"/user-groups/{group_id}/users"):
            assert (await client.get(path)).status_code in {404, 422}


async def names(response: Awaitable[Response]) -> list[str]:
    return [group["name"] for group in (await response).json()]


async def statements(world: World, request: Callable[[], Awaitable[Response]]) -> int:
    """Count the statements of a request, without BEGIN and COMMIT."""
    async with transaction(world.sessionmaker) as db, recorded_statements(db) as run:
        assert (await request()).status_code == 200
    return len(run)
