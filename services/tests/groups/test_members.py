"""Members are added, change roles, are removed and leave, and can be searched for."""

from collections.abc import Awaitable
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlmodel import col, select

from accounts.db.session import RequestContext, transaction
from accounts.domain.errors import LastOwner
from accounts.domain.groups.members import MemberManager
from accounts.models import AuditEvent, Role, User, UserGroup, Visibility
from support.people import World
from support.schema import recorded_statements

UNKNOWN_ID = "01999999-9999-7999-8999-999999999999"


class Table:
    """A private group of Arthur (owner), Merlin (admin), Bors and Galahad. Gawain shares another group with Arthur."""

    def __init__(self, world: World, group: UserGroup, people: dict[str, User], tickets: dict[str, Any]) -> None:
        self.world, self.client, self.group, self.people, self.tickets = world, world.client, group, people, tickets
        self.path = f"/user-groups/{group.id}"

    def of(self, name: str) -> str:
        return f"{self.path}/users/{self.people[name].id if name in self.people else name}"

    async def put(self, name: str, role: str, by: str = "arthur") -> Response:
        return await self.client.put(self.of(name), json={"role": role}, headers=self.tickets[by])

    async def patch(self, name: str, role: str, by: str = "arthur") -> Response:
        return await self.client.patch(self.of(name), json={"role": role}, headers=self.tickets[by])

    async def delete(self, name: str, by: str = "arthur") -> Response:
        return await self.client.delete(self.of(name), headers=self.tickets[by])

    async def transfer(self, name: str, by: str = "arthur") -> Response:
        body = {"user_id": str(self.people[name].id)}
        return await self.client.post(f"{self.path}/transfer", json=body, headers=self.tickets[by])

    async def roles(self) -> dict[str, str]:
        members = (await self.client.get(f"{self.path}/users", headers=self.tickets["morgana"])).json()
        assert (await self.read())["member_count"] == len(members)
        return {member["display_name"].lower(): member["role"] for member in members}

    async def read(self) -> dict[str, Any]:
        group: dict[str, Any] = (await self.client.get(self.path, headers=self.tickets["morgana"])).json()
        return group


@pytest.fixture
async def table(world: World) -> Table:
    names = ("arthur", "merlin", "bors", "galahad", "gawain", "mordred")
    people = {name: await world.user(name, is_verified=True) for name in names}
    people["morgana"] = await world.user("morgana", superuser=True)
    roles = dict(zip(names, (Role.OWNER, Role.ADMIN, Role.MEMBER, Role.MEMBER), strict=False))
    group = await world.group("Round Table", Visibility.PRIVATE, members={people[name]: roles[name] for name in roles})
    await world.group(
        "Hunt", members=dict.fromkeys([people["gawain"], people["merlin"], people["arthur"]], Role.MEMBER)
    )
    tickets = {name: await world.sign_in(people[name]) for name in ("arthur", "merlin", "bors", "morgana")}
    return Table(world, group, people, tickets)


async def refusal(answer: Awaitable[Response]) -> tuple[int, str]:
    response = await answer
    return response.status_code, response.json()["detail"]


class TestPut:
    async def test_superuser_adds_a_user(self, table: Table) -> None:
        answer = await table.put("gawain", "admin", by="morgana")

        assert answer.status_code == 201
        member = answer.json()
        assert (member["id"], member["display_name"]) == (str(table.people["gawain"].id), "Gawain")
        assert (member["role"], member["email"]) == ("admin", "gawain@camelot.example.com")
        assert set(member) == {"id", "display_name", "email", "role", "joined_at"}
        assert (await table.roles())["gawain"] == "admin"

    async def test_put_sets_the_role_of_a_member(self, table: Table) -> None:
        joined = (await table.put("bors", "member")).json()["joined_at"]

        for role in ("admin", "admin", "member"):
            answer = await table.put("bors", role, by="merlin")
            assert (answer.status_code, answer.json()["role"], answer.json()["joined_at"]) == (200, role, joined)

    async def test_admin_and_owner_invite_also_members_of_their_other_groups(self, table: Table) -> None:
        for name, by in (("gawain", "merlin"), ("mordred", "arthur")):
            answer = await table.put(name, "member", by)
            assert (answer.status_code, answer.json()["user_id"]) == (202, str(table.people[name].id))

        assert set(await table.roles()) == {"arthur", "merlin", "bors", "galahad"}

    async def test_unknown_id_is_not_found(self, table: Table) -> None:
        for by in ("arthur", "morgana"):
            assert await refusal(table.put(UNKNOWN_ID, "member", by)) == (404, "USER_NOT_FOUND")

    async def test_inactive_user_cannot_be_added(self, table: Table) -> None:
        await table.world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'gawain%'")

        assert await refusal(table.put("gawain", "member", "morgana")) == (404, "USER_NOT_FOUND")

    async def test_superuser_can_add_any_user(self, table: Table) -> None:
        assert (await table.put("mordred", "owner", by="morgana")).status_code == 201
        assert (await table.put("morgana", "member", by="morgana")).status_code == 201
        assert (await table.roles())["mordred"] == "owner"

    @pytest.mark.parametrize("body", [{}, {"role": "king"}, {"role": None}, {"role": "Owner"}, []], ids=str)
    async def test_unknown_role_is_rejected(self, table: Table, body: Any) -> None:
        for method in ("PUT", "PATCH"):
            answer = await table.client.request(method, table.of("bors"), json=body, headers=table.tickets["arthur"])
            assert answer.status_code == 422


class TestChange:
    async def test_role_change_returns_the_member(self, table: Table) -> None:
        answer = await table.patch("bors", "admin", by="merlin")

        assert (answer.status_code, answer.json()["role"]) == (200, "admin")
        assert (await table.roles())["bors"] == "admin"

    async def test_user_who_is_no_member_looks_like_an_unknown_id(self, table: Table) -> None:
        answers = [await table.patch(name, "admin") for name in ("mordred", "gawain", UNKNOWN_ID)]
        answers += [await table.delete(name) for name in ("mordred", "gawain", UNKNOWN_ID)]

        assert {(each.status_code, each.text) for each in answers} == {(404, answers[0].text)}
        assert answers[0].json()["detail"] == "MEMBER_NOT_FOUND"

    @pytest.mark.parametrize("way", ["put", "patch", "transfer"])
    async def test_inactive_member_cannot_become_an_owner(self, table: Table, way: str) -> None:
        await table.world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'bors%'")

        answer = table.transfer("bors") if way == "transfer" else getattr(table, way)("bors", "owner")

        assert await refusal(answer) == (409, "USER_INACTIVE")
        assert (await table.roles())["bors"] == "member"
        assert (await table.patch("bors", "admin")).status_code == 200

    @pytest.mark.parametrize(("name", "role"), [("bors", Role.ADMIN), ("merlin", Role.MEMBER)])
    async def test_role_change_takes_six_statements(self, table: Table, name: str, role: Role) -> None:
        """Lock the users, then the group; both memberships; the recorded change; a mail that waits; the mail."""
        arthur, user = table.people["arthur"], table.people[name]
        await table.patch("merlin", "owner")
        await table.world.sql("DELETE FROM outbox")
        context = RequestContext(actor_id=arthur.id)
        async with transaction(table.world.sessionmaker, context) as db, recorded_statements(db) as run:
            await MemberManager(db).change(table.group.id, user.id, role, arthur)

        assert len(run) == 6, run

    async def test_admin_who_steps_down_cannot_change_roles(self, table: Table) -> None:
        assert (await table.patch("merlin", "member", by="merlin")).status_code == 200

        assert await refusal(table.patch("merlin", "admin", by="merlin")) == (403, "GROUP_FORBIDDEN")


class TestRemoval:
    async def test_refused_removal_of_the_last_owner_is_not_recorded_by_a_caller_who_goes_on(
        self, table: Table
    ) -> None:
        arthur = table.people["arthur"]
        async with transaction(table.world.sessionmaker, RequestContext(actor_id=arthur.id)) as db:
            with pytest.raises(LastOwner):
                await MemberManager(db).remove(table.group.id, arthur.id, arthur)

        async with table.world.owner() as db:
            actions = (await db.exec(select(AuditEvent.action).where(col(AuditEvent.user_id) == arthur.id))).all()
        assert "session.started" in actions
        assert "membership.deleted" not in actions

    async def test_removed_member_cannot_see_the_private_group(self, table: Table) -> None:
        assert (await table.delete("bors", by="merlin")).status_code == 204

        assert set(await table.roles()) == {"arthur", "merlin", "galahad"}
        answer = table.client.get(table.path, headers=table.tickets["bors"])
        assert await refusal(answer) == (404, "GROUP_NOT_FOUND")

    async def test_member_can_leave(self, table: Table) -> None:
        assert (await table.delete("bors", by="bors")).status_code == 204
        assert await refusal(table.delete("bors", by="bors")) == (404, "GROUP_NOT_FOUND")
        assert "bors" not in await table.roles()


class TestTransfer:
    async def test_transfer_makes_the_previous_owner_an_admin(self, table: Table) -> None:
        answer = await table.transfer("bors")

        assert (answer.status_code, answer.json()["role"]) == (200, "owner")
        assert await table.roles() == {"arthur": "admin", "merlin": "admin", "bors": "owner", "galahad": "member"}
        assert await refusal(table.transfer("merlin")) == (403, "GROUP_FORBIDDEN")

    async def test_transfer_to_the_owner_changes_nothing(self, table: Table) -> None:
        assert (await table.transfer("arthur")).status_code == 200
        assert (await table.roles())["arthur"] == "owner"

    async def test_transfer_by_a_superuser_keeps_the_previous_owner(self, table: Table) -> None:
        assert (await table.transfer("bors", by="morgana")).status_code == 200
        assert await refusal(table.transfer("gawain", by="morgana")) == (404, "MEMBER_NOT_FOUND")

        roles = await table.roles()
        assert (roles["arthur"], roles["bors"]) == ("owner", "owner")


@pytest.fixture
async def crowd(world: World) -> str:
    """Return the path of a group whose members sort differently by name, by address and by id."""
    names = ("ywain", "Lancelot", "lanval", "lamorak", "bors")
    users = [await world.user(name.lower(), display_name=f"{name} of {9 - n}") for n, name in enumerate(names)]
    users += [await world.user("outsider", display_name="Lance")]
    roles = (Role.MEMBER, Role.OWNER, Role.MEMBER, Role.ADMIN, Role.MEMBER)
    group = await world.group("Crowd", members=dict(zip(users[:5], roles, strict=True)))
    return f"/user-groups/{group.id}/users"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["ywain", "lancelot", "lanval", "lamorak", "bors"]),
        ("name=LA", ["lamorak", "lancelot", "lanval"]),
        ("email=La", ["lamorak", "lancelot", "lanval"]),
        ("role=member", ["ywain", "lanval", "bors"]),
        ("role=owner", ["lancelot"]),
        ("name=lan&role=member", ["lanval"]),
        ("email=lan&name=lanc", ["lancelot"]),
        ("name=anc", []),
        ("name=%25", []),
        ("email=_", []),
    ],
    ids=str,
)
async def test_members_can_be_searched_for(
    client: AsyncClient, world: World, crowd: str, query: str, expected: list[str]
) -> None:
    headers = await world.sign_in("bors@camelot.example.com")
    seen, path = [], f"{crowd}?{query}{'&' if query else ''}limit=2"
    while path:
        answer = await client.get(path, headers=headers)
        seen += [member["email"].split("@")[0] for member in answer.json()]
        path = answer.links["next"]["url"] if "next" in answer.links else ""

    assert seen == expected


@pytest.mark.parametrize("query", ["role=king", "name=", "email=%00", "name=%20", f"name={'x' * 101}"])
async def test_invalid_search_is_rejected(client: AsyncClient, crowd: str, query: str) -> None:
    assert (await client.get(f"{crowd}?{query}")).status_code == 422
