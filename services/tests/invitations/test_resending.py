"""Invitations are sent again and revoked."""

from datetime import timedelta

import pytest
from httpx2 import AsyncClient

from accounts.models import Role
from support.invitations import GALAHAD, Table, lasts


class TestResending:
    async def test_resending_sends_a_new_token_with_the_same_lifetime(self, table: Table) -> None:
        old = await table.token(GALAHAD, expires_in_days=3)
        await table.world.sql(
            "UPDATE invitation SET expires_at = expires_at - interval '2 d', updated_at = updated_at - interval '2 d'"
        )
        [shown] = (await table.world.client.get(table.path, headers=table.admin)).json()
        assert lasts(shown) == timedelta(1)

        answer = await table.world.client.post(f"{table.path}/{shown['id']}/resend", headers=table.owner)

        again = answer.json()
        assert answer.status_code == 200
        assert again == shown | {"expires_at": again["expires_at"]}
        assert lasts(again) == pytest.approx(timedelta(3), abs=timedelta(minutes=1))
        assert (await table.world.tokens())[-1][:2] == ("invitation", GALAHAD)
        assert (await table.world.token()) != old

    @pytest.mark.parametrize("way", ["resend", "revoke"])
    async def test_resending_and_revoking_require_an_open_invitation_of_the_group(self, table: Table, way: str) -> None:
        await table.token(GALAHAD)
        [shown] = (await table.world.client.get(table.path, headers=table.admin)).json()
        other = await table.world.group(
            "Knights", members={await table.world.user("kay", is_verified=True): Role.OWNER}
        )
        kay = await table.world.sign_in("kay@camelot.example.com")
        elsewhere = f"/user-groups/{other.id}/invitations"

        async def answer(path: str, headers: dict[str, str]) -> tuple[int, str]:
            method, path = ("POST", f"{path}/resend") if way == "resend" else ("DELETE", path)
            response = await table.world.client.request(method, path, headers=headers)
            return response.status_code, response.json()["detail"]

        assert await answer(f"{elsewhere}/{shown['id']}", kay) == (404, "INVITATION_NOT_FOUND")
        assert await answer(f"{table.path}/{shown['id']}", table.member) == (403, "GROUP_FORBIDDEN")
        assert await answer(f"{table.path}/{2**63}", table.admin) == (422, "REQUEST_INVALID")
        await table.expire()
        assert await answer(f"{table.path}/{shown['id']}", table.admin) == (404, "INVITATION_NOT_FOUND")

    async def test_resending_and_revoking_an_owner_invitation_require_the_owner_role(
        self, table: Table, client: AsyncClient
    ) -> None:
        invitation = (await table.invite(GALAHAD, role=Role.OWNER, headers=table.owner)).json()["id"]
        one = f"{table.path}/{invitation}"

        assert (await client.post(f"{one}/resend", headers=table.admin)).status_code == 403
        assert (await client.delete(one, headers=table.admin)).status_code == 403
        assert (await client.post(f"{one}/resend", headers=table.owner)).status_code == 200
        assert (await client.delete(one, headers=table.owner)).status_code == 204
        assert (await client.get(table.path, headers=table.owner)).json() == []
