"""Groups are created, updated, listed and deleted."""

from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import func, select

from accounts.db.session import transaction
from accounts.models import Invitation, Membership, Role, UserGroup, Visibility
from support.people import World

INVITATION = (
    "INSERT INTO invitation (group_id, email, token_hash, expires_at)"
    " SELECT id, 'bors@example.com', 'x', now() FROM user_group"
)


@pytest.fixture
async def arthur(world: World) -> dict[str, str]:
    return await world.sign_in(await world.user("arthur"))


async def create(client: AsyncClient, headers: dict[str, str], **body: Any) -> dict[str, Any]:
    answer = await client.post("/user-groups", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    group: dict[str, Any] = answer.json()
    return group


class TestCreation:
    async def test_creator_becomes_the_owner(self, client: AsyncClient, arthur: dict[str, str]) -> None:
        answer = await client.post("/user-groups", json={"name": " Round Table "}, headers=arthur)

        group = answer.json()
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"/user-groups/{group['id']}"
        assert (group["name"], group["description"], group["visibility"]) == ("Round Table", "", "private")
        assert (group["member_count"], group["my_role"]) == (1, "owner")
        assert (await client.get(answer.headers["Location"], headers=arthur)).json() == group

    async def test_group_is_created_with_all_fields(self, client: AsyncClient, arthur: dict[str, str]) -> None:
        body = {"name": "Table", "description": "Round,\nand of oak", "visibility": "public"}

        assert body.items() <= (await create(client, arthur, **body)).items()

    @pytest.mark.parametrize(
        "change",
        [
            {"name": ""}, {"name": " "}, {"name": "a\nb"}, {"name": "x" * 101}, {"name": "\0"}, {"name": None},
            {"description": "x" * 1001}, {"description": None}, {"description": "\x1b"},
            {"visibility": "secret"}, {"visibility": None}, {"name": 1},
        ],
        ids=lambda change: str(change)[:30].replace("\\", ""),
    )  # fmt: skip
    async def test_invalid_fields_are_rejected_by_create_and_update(
        self, client: AsyncClient, arthur: dict[str, str], change: dict[str, Any]
    ) -> None:
        group = await create(client, arthur, name="Table")
        path = f"/user-groups/{group['id']}"

        assert (await client.post("/user-groups", json={"name": "a"} | change, headers=arthur)).status_code == 422
        assert (await client.patch(path, json=change, headers=arthur)).status_code == 422
        assert (await client.get(path, headers=arthur)).json() == group


class TestChange:
    async def test_update_changes_the_given_fields_only(self, client: AsyncClient, arthur: dict[str, str]) -> None:
        group = await create(client, arthur, name="Table")
        path = f"/user-groups/{group['id']}"
        expected = group
        for change in ({"name": "TABLE"}, {"description": "Of oak"}, {"visibility": "public"}, {"description": ""}):
            answer = await client.patch(path, json=change, headers=arthur)
            assert answer.status_code == 200
            expected = expected | change | {"updated_at": answer.json()["updated_at"]}
            assert answer.json() == expected == (await client.get(path, headers=arthur)).json()

    async def test_update_without_changes_keeps_the_group_as_it_is(
        self, client: AsyncClient, arthur: dict[str, str]
    ) -> None:
        group = await create(client, arthur, name="Table")

        for body in ({}, {"name": "Table", "visibility": "private"}):
            answer = await client.patch(f"/user-groups/{group['id']}", json=body, headers=arthur)
            assert answer.json() == group

    async def test_visibility_shows_and_hides_the_group(self, client: AsyncClient, arthur: dict[str, str]) -> None:
        path = f"/user-groups/{(await create(client, arthur, name='Table'))['id']}"
        for visibility, status in (("public", 200), ("private", 404)):
            await client.patch(path, json={"visibility": visibility}, headers=arthur)
            assert (await client.get(path)).status_code == status


async def test_deleting_a_group_deletes_its_memberships_and_invitations(
    client: AsyncClient, world: World, arthur: dict[str, str]
) -> None:
    group = await create(client, arthur, name="Table")
    await world.join(group["id"], await world.user("bors"), Role.MEMBER)
    await world.sql(INVITATION)

    assert (await client.delete(f"/user-groups/{group['id']}", headers=arthur)).status_code == 204

    assert (await client.get(f"/user-groups/{group['id']}", headers=arthur)).status_code == 404
    assert (await client.get("/users/me/groups", headers=arthur)).json() == []
    async with transaction(world.sessionmaker) as db:
        for entity in (UserGroup, Membership, Invitation):
            assert (await db.exec(select(func.count()).select_from(entity))).one() == 0


@pytest.fixture
async def many(world: World) -> None:
    """Public and private groups, of Arthur and of others."""
    arthur, mordred = await world.user("arthur"), await world.user("mordred")
    await world.user("morgana", superuser=True)
    for name, visibility, members in (
        ("Alpha", Visibility.PUBLIC, {}),
        ("alphabet", Visibility.PRIVATE, {arthur: Role.OWNER, mordred: Role.MEMBER}),
        ("ALPHA", Visibility.PRIVATE, {mordred: Role.OWNER}),
        ("beta", Visibility.PUBLIC, {arthur: Role.MEMBER}),
        ("Al%", Visibility.PUBLIC, {mordred: Role.OWNER}),
        ("Gamma", Visibility.PRIVATE, {arthur: Role.ADMIN}),
    ):
        await world.group(name, visibility, members=members)


@pytest.mark.usefixtures("many")
class TestLists:
    @pytest.mark.parametrize(
        ("caller", "query", "expected"),
        [
            ("", "", ["Al%", "Alpha", "beta"]),
            ("", "name=ALPHA", ["Alpha"]),
            ("", "name=al%25", ["Al%"]),
            ("", "name=%25", []),
            ("", "visibility=private", []),
            ("", "visibility=public&name=b", ["beta"]),
            ("arthur", "", ["Al%", "Alpha", "alphabet", "beta", "Gamma"]),
            ("arthur", "name=al", ["Al%", "Alpha", "alphabet"]),
            ("arthur", "visibility=private", ["alphabet", "Gamma"]),
            ("arthur", "visibility=public", ["Al%", "Alpha", "beta"]),
            ("mordred", "name=alpha", ["Alpha", "ALPHA", "alphabet"]),
            ("morgana", "", ["Al%", "Alpha", "ALPHA", "alphabet", "beta", "Gamma"]),
            ("morgana", "visibility=private&name=g", ["Gamma"]),
        ],
        ids=str,
    )
    async def test_list_has_the_visible_groups_that_match_the_search(
        self, client: AsyncClient, world: World, caller: str, query: str, expected: list[str]
    ) -> None:
        headers = await world.sign_in(f"{caller}@camelot.example.com") if caller else {}

        groups = (await client.get(f"/user-groups?{query}", headers=headers)).json()

        assert [group["name"] for group in groups] == expected

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", {"alphabet": "owner", "beta": "member", "Gamma": "admin"}),
            ("role=owner", {"alphabet": "owner"}),
            ("role=admin", {"Gamma": "admin"}),
            ("role=member", {"beta": "member"}),
        ],
    )
    async def test_list_of_own_groups_has_the_role(
        self, client: AsyncClient, world: World, query: str, expected: dict[str, str]
    ) -> None:
        headers = await world.sign_in("arthur@camelot.example.com")

        groups = (await client.get(f"/users/me/groups?{query}", headers=headers)).json()

        assert {group["name"]: group["my_role"] for group in groups} == expected
        assert [group["id"] for group in groups] == sorted(group["id"] for group in groups)

    @pytest.mark.parametrize("query", ["visibility=secret", "name=", "name=%00", "role=king", f"name={'x' * 101}"])
    async def test_invalid_query_is_rejected(self, client: AsyncClient, world: World, query: str) -> None:
        headers = await world.sign_in("arthur@camelot.example.com")
        path = "/users/me/groups" if query.startswith("role") else "/user-groups"

        assert (await client.get(f"{path}?{query}", headers=headers)).status_code == 422

    @pytest.mark.parametrize("path", ["/user-groups", "/users/me/groups", "/user-groups/{}"])
    async def test_reading_groups_counts_no_members(
        self, client: AsyncClient, world: World, engine: AsyncEngine, path: str
    ) -> None:
        """The number of members is stored, so reading it costs the same for a million."""
        headers = await world.sign_in("arthur@camelot.example.com")
        (group, *_) = (await client.get("/users/me/groups", headers=headers)).json()
        run: list[str] = []
        note = lambda *args: run.append(args[2])  # noqa: E731  # to be removed again
        event.listen(engine.sync_engine, "before_cursor_execute", note)

        answer = await client.get(path.format(group["id"]), headers=headers)

        event.remove(engine.sync_engine, "before_cursor_execute", note)
        assert answer.status_code == 200
        assert not any("count(" in statement for statement in run)

    async def test_list_of_own_groups_requires_a_sign_in(self, client: AsyncClient) -> None:
        assert (await client.get("/users/me/groups")).status_code == 401
