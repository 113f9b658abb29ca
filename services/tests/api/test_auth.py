"""Signing up, in and out; verifying; resetting."""

import asyncio

import pytest
from httpx2 import AsyncClient
from people import PASSWORD, World

ARTHUR = {"email": "king.arthur@camelot.example.com", "password": PASSWORD, "display_name": "Arthur"}


class TestRegister:
    async def test_makes_an_unprivileged_user(self, client: AsyncClient) -> None:
        response = await client.post("/auth/register", json=ARTHUR | {"is_superuser": True, "is_verified": True})

        assert response.status_code == 201
        user = response.json()
        assert user["email"] == ARTHUR["email"]
        assert user["display_name"] == "Arthur"
        assert (user["is_active"], user["is_superuser"], user["is_verified"]) == (True, False, False)
        assert PASSWORD not in response.text
        assert "hash" not in response.text

    @pytest.mark.parametrize("email", [ARTHUR["email"], "King.ARTHUR@Camelot.example.COM"])
    async def test_allows_one_account_an_address(self, client: AsyncClient, email: str) -> None:
        await client.post("/auth/register", json=ARTHUR)

        response = await client.post("/auth/register", json=ARTHUR | {"email": email})

        assert response.status_code == 400
        assert response.json()["detail"] == "REGISTER_USER_ALREADY_EXISTS"

    async def test_makes_one_account_when_twenty_register_at_once(self, busy_world: World) -> None:
        spellings = [
            ARTHUR["email"],
            ARTHUR["email"].upper(),
            ARTHUR["email"].title(),
            "KING.arthur@camelot.example.com",
        ]

        responses = await asyncio.gather(
            *(busy_world.client.post("/auth/register", json=ARTHUR | {"email": each}) for each in spellings * 5)
        )

        assert sorted(response.status_code for response in responses) == [201] + [400] * 19
        assert (await busy_world.login(ARTHUR["email"])).status_code == 200
