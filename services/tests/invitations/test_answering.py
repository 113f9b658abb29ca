"""Accepting and declining invitations, by token and by verified email address."""

import pytest
from httpx2 import AsyncClient

from accounts.models import Role
from support.invitations import GALAHAD, OWN, Table, accept, me, own, status_and_code
from support.people import World

BAD_TOKEN = (400, "INVITATION_BAD_TOKEN")
OTHER_ADDRESS = (403, "INVITATION_OTHER_ADDRESS")
NOT_FOUND = (404, "INVITATION_NOT_FOUND")


class TestByToken:
    async def test_accepting_joins_the_group_and_verifies_the_email(self, world: World, table: Table) -> None:
        headers = await world.sign_in(await world.user("galahad"))
        token = await table.token(GALAHAD.title())

        group = await accept(world, token, headers)

        assert group.status_code == 200
        assert group.json() == (await world.client.get(f"/user-groups/{table.group.id}", headers=headers)).json()
        assert (group.json()["my_role"], group.json()["member_count"]) == ("member", 4)
        assert (await me(world, headers))["is_verified"] is True
        assert status_and_code(await accept(world, token, headers)) == BAD_TOKEN

    async def test_token_sent_to_another_email_is_refused_and_stays_valid(
        self, world: World, table: Table, galahad: dict[str, str]
    ) -> None:
        mordred = await world.sign_in(await world.user("mordred"))
        token = await table.token(GALAHAD)

        assert status_and_code(await accept(world, token, mordred)) == OTHER_ADDRESS
        assert (await me(world, mordred))["is_verified"] is False
        assert (await accept(world, token, galahad)).status_code == 200

    async def test_expired_replaced_and_revoked_tokens_are_refused(
        self, world: World, table: Table, galahad: dict[str, str]
    ) -> None:
        expired = await table.token(GALAHAD)
        await table.expire()
        old = await table.token(GALAHAD)
        [shown] = await own(world, galahad)
        one = f"{table.path}/{shown['id']}"
        await world.client.post(f"{one}/resend", headers=table.admin)
        revoked = await world.token()
        assert status_and_code(await accept(world, old, galahad)) == BAD_TOKEN
        await world.client.delete(one, headers=table.admin)

        for token in (expired, old, revoked, "x"):
            assert status_and_code(await accept(world, token, galahad)) == BAD_TOKEN
            assert status_and_code(await world.client.post("/invitations/decline", json={"token": token})) == BAD_TOKEN
        assert "galahad" not in await table.roles()

    async def test_resent_token_is_accepted(self, world: World, table: Table, galahad: dict[str, str]) -> None:
        await table.token(GALAHAD)
        [shown] = await own(world, galahad)
        await world.client.post(f"{table.path}/{shown['id']}/resend", headers=table.admin)

        assert (await accept(world, (await world.token()), galahad)).status_code == 200

    async def test_invitation_is_deleted_with_its_group(
        self, world: World, table: Table, galahad: dict[str, str]
    ) -> None:
        token = await table.token(GALAHAD)
        await world.client.delete(f"/user-groups/{table.group.id}", headers=table.owner)

        assert status_and_code(await accept(world, token, galahad)) == BAD_TOKEN

    async def test_invitation_stays_valid_after_the_inviter_is_deleted(
        self, world: World, table: Table, galahad: dict[str, str]
    ) -> None:
        token = await table.token(GALAHAD)
        await world.client.request("DELETE", "/users/me", headers=table.admin)

        assert [each["inviter_name"] for each in await own(world, galahad)] == [None]
        assert (await accept(world, token, galahad)).status_code == 200

    async def test_member_who_accepts_keeps_their_role(
        self, world: World, table: Table, galahad: dict[str, str]
    ) -> None:
        token = await table.token(GALAHAD)
        galahad_id = (await me(world, galahad))["id"]
        morgana = await world.sign_in(await world.user("morgana", superuser=True))
        path = f"/user-groups/{table.group.id}/users/{galahad_id}"
        assert (await world.client.put(path, json={"role": "admin"}, headers=morgana)).status_code == 201

        answer = await accept(world, token, galahad)

        assert (answer.status_code, answer.json()["my_role"]) == (200, "admin")
        assert await own(world, galahad) == []

    async def test_token_declines_without_signing_in(self, world: World, table: Table, galahad: dict[str, str]) -> None:
        token = await table.token(GALAHAD)

        assert (await world.client.post("/invitations/decline", json={"token": token})).status_code == 204

        assert await own(world, galahad) == []
        assert status_and_code(await accept(world, token, galahad)) == BAD_TOKEN
        assert (await table.invite(GALAHAD)).status_code == 201

    async def test_tokens_are_rate_limited_to_twenty_a_minute(self, world: World) -> None:
        world.change_settings(throttle_scale=0.1)
        client, body = world.client, {"token": "x"}

        paths = ("accept", "decline", "accept", "decline")
        answers = [await client.post(f"/invitations/{path}", json=body) for path in paths]

        assert [answer.status_code for answer in answers] == [401, 400, 429, 429]


class TestByVerifiedEmail:
    async def test_list_shows_group_role_note_and_inviter(
        self, world: World, table: Table, galahad: dict[str, str]
    ) -> None:
        await table.token(GALAHAD.upper(), role=Role.ADMIN, note="There is a seat.")
        await table.token("kay@camelot.example.com")

        [shown] = await own(world, galahad)

        assert shown | {"created_at": "", "expires_at": ""} == {
            "id": shown["id"], "group": {"id": table.group.id, "name": "Round Table"}, "role": "admin",
            "note": "There is a seat.", "inviter_name": "Guinevere", "created_at": "", "expires_at": "",
        }  # fmt: skip

    async def test_list_has_pages(self, world: World, galahad: dict[str, str]) -> None:
        morgana = await world.sign_in(await world.user("morgana", superuser=True))
        for number in range(3):
            group = await world.group(f"Group {number}")
            path = f"/user-groups/{group.id}/invitations"
            assert (await world.client.post(path, json={"email": GALAHAD}, headers=morgana)).status_code == 201

        first = await world.client.get(OWN, params={"limit": 2}, headers=galahad)
        second = await world.client.get(first.links["next"]["url"], headers=galahad)

        names = [each["group"]["name"] for each in first.json() + second.json()]
        assert names == ["Group 0", "Group 1", "Group 2"]
        assert (await world.client.get(second.links["prev"]["url"], headers=galahad)).json() == first.json()
        assert (await world.client.get(OWN, params={"cursor": "x"}, headers=galahad)).status_code == 400

    async def test_user_can_accept_or_decline_once(self, world: World, table: Table, galahad: dict[str, str]) -> None:
        await table.token(GALAHAD)
        [first] = await own(world, galahad)
        assert (await world.client.delete(f"{OWN}/{first['id']}", headers=galahad)).status_code == 204
        token = await table.token(GALAHAD)
        [second] = await own(world, galahad)

        answer = await world.client.post(f"{OWN}/{second['id']}/accept", headers=galahad)

        assert (answer.status_code, answer.json()["my_role"]) == (200, "member")
        assert await own(world, galahad) == []
        assert status_and_code(await accept(world, token, galahad)) == BAD_TOKEN
        for each in (first, second):
            assert status_and_code(await world.client.post(f"{OWN}/{each['id']}/accept", headers=galahad)) == NOT_FOUND
            assert status_and_code(await world.client.delete(f"{OWN}/{each['id']}", headers=galahad)) == NOT_FOUND

    @pytest.mark.parametrize(("name", "verified"), [("galahad", False), ("mordred", True)])
    async def test_unverified_or_other_users_find_no_invitation(
        self, client: AsyncClient, world: World, table: Table, *, name: str, verified: bool
    ) -> None:
        headers = await world.sign_in(await world.user(name, is_verified=verified))
        one = f"{OWN}/{(await table.invite(GALAHAD)).json()['id']}"

        assert await own(world, headers) == []
        assert status_and_code(await client.post(f"{one}/accept", headers=headers)) == NOT_FOUND
        assert status_and_code(await client.delete(one, headers=headers)) == NOT_FOUND

    async def test_expired_invitation_is_not_found(self, world: World, table: Table, galahad: dict[str, str]) -> None:
        one = f"{OWN}/{(await table.invite(GALAHAD)).json()['id']}"
        await table.expire()

        assert await own(world, galahad) == []
        assert status_and_code(await world.client.post(f"{one}/accept", headers=galahad)) == NOT_FOUND
