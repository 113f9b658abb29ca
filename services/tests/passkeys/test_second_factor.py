"""A passkey as the second factor of a sign-in, and to step up a session."""

import asyncio
from typing import Any

import pytest
from httpx2 import Response

from support.authenticator import PRESENT, Authenticator, b64
from support.passkeys import MINE, PasskeyUser, code, sign_in_options, with_passkey
from support.people import World

REFUSED = (400, "BAD_SECOND_FACTOR")


async def finish(person: PasskeyUser, mfa_token: str, passkey: dict[str, Any], kind: str = "jwt") -> Response:
    return await person.world.client.post(f"/auth/{kind}/mfa", json={"mfa_token": mfa_token, "passkey": passkey})


async def pending(person: PasskeyUser) -> str:
    token: str = (await person.password_sign_in())["mfa_token"]
    return token


class TestFinishing:
    @pytest.mark.parametrize("handle", ["", None])
    async def test_password_and_passkey_sign_in(self, world: World, handle: str | None) -> None:
        arthur = await with_passkey(world)
        token = await pending(arthur)
        options = await arthur.second_factor_options(token)
        assert [allowed["id"] for allowed in options["allowCredentials"]] == [b64(arthur.key.id)]
        arthur.key.user_handle = arthur.key.user_handle if handle == "" else None

        response = await finish(arthur, token, arthur.key.get(options))

        headers = {"Authorization": f"Bearer {response.json()['access_token']}"}
        export = (await world.client.get("/users/me/export", headers=headers)).json()
        assert export["sessions"][-1]["methods"] == ["pwd", "hwk", "user", "mfa"]
        assert export["passkeys"][0]["credential_id"] == arthur.key.id.hex()

    async def test_password_and_passkey_sign_in_with_a_cookie(self, world: World) -> None:
        arthur = await with_passkey(world)
        token = await pending(arthur)

        response = await finish(arthur, token, arthur.key.get(await arthur.second_factor_options(token)), "cookie")

        assert response.status_code == 204

    async def test_challenge_of_another_sign_in_user_or_ceremony_is_refused(self, world: World) -> None:
        arthur, lancelot = await with_passkey(world), await with_passkey(world, "lancelot")
        mine, other, his = await pending(arthur), await pending(arthur), await pending(lancelot)

        for options in (
            await arthur.second_factor_options(other),
            await lancelot.second_factor_options(his),
            await arthur.options("/auth/elevate/passkey-options"),
            await sign_in_options(world),
        ):
            assert code(await finish(arthur, mine, arthur.key.get(options))) == REFUSED

    async def test_passkey_of_another_user_is_refused(self, world: World) -> None:
        arthur, lancelot = await with_passkey(world), await with_passkey(world, "lancelot")
        token = await pending(arthur)
        lancelot.key.user_handle = None

        refused = await finish(arthur, token, lancelot.key.get(await arthur.second_factor_options(token)))

        assert code(refused) == REFUSED

    async def test_passkey_without_user_verification_is_refused_and_recorded(self, world: World) -> None:
        arthur = await with_passkey(world)
        token = await pending(arthur)
        arthur.key.flags = PRESENT

        assert code(await finish(arthur, token, arthur.key.get(await arthur.second_factor_options(token)))) == REFUSED

        activity = (await world.client.get("/users/me/activity", headers=arthur.headers)).json()
        assert activity[0]["action"] == "second_factor.refused"

    async def test_cloned_passkey_is_refused(self, world: World) -> None:
        arthur = await with_passkey(world, count=4)
        token = await pending(arthur)
        arthur.key.count = 1

        assert code(await finish(arthur, token, arthur.key.get(await arthur.second_factor_options(token)))) == REFUSED

        activity = (await world.client.get("/users/me/activity", headers=arthur.headers)).json()
        assert "passkey.cloned" in [event["action"] for event in activity]

    async def test_one_of_many_concurrent_responses_signs_in(self, busy_world: World) -> None:
        arthur = await with_passkey(busy_world)
        token = await pending(arthur)
        passkey = arthur.key.get(await arthur.second_factor_options(token))

        answers = await asyncio.gather(*(finish(arthur, token, passkey) for _ in range(16)))

        assert sorted(answer.status_code for answer in answers) == [200, *15 * [400]]

    async def test_unknown_sign_in_gets_no_options(self, world: World) -> None:
        answer = await world.client.post("/auth/mfa/passkey-options", json={"mfa_token": "x"})

        assert code(answer) == (400, "MFA_BAD_TOKEN")

    async def test_passkey_that_was_removed_meanwhile_is_refused(self, world: World) -> None:
        arthur = await with_passkey(world)
        await arthur.add(Authenticator(), "Laptop")
        token = await pending(arthur)
        passkey = arthur.key.get(await arthur.second_factor_options(token))
        await world.sql("DELETE FROM passkey WHERE name = 'Phone'")

        assert code(await finish(arthur, token, passkey)) == REFUSED


class TestElevating:
    async def elevate(self, person: PasskeyUser, options: dict[str, Any]) -> Response:
        return await person.post("/auth/elevate", {"passkey": person.key.get(options)})

    async def test_passkey_renews_the_authentication_of_a_session(self, world: World) -> None:
        arthur = await with_passkey(world)
        await world.sql("UPDATE user_session SET authenticated_at = now() - interval '601 seconds'")
        assert code(await arthur.post(f"{MINE}/options")) == (403, "REAUTHENTICATION_REQUIRED")

        elevated = await self.elevate(arthur, await arthur.options("/auth/elevate/passkey-options"))

        assert elevated.status_code == 204
        assert (await arthur.post(f"{MINE}/options")).status_code == 200

    async def test_challenge_of_another_session_is_refused(self, world: World) -> None:
        arthur = await with_passkey(world)
        token = await pending(arthur)
        signed_in = await finish(arthur, token, arthur.key.get(await arthur.second_factor_options(token)))
        other = PasskeyUser(
            world, arthur.user, {"Authorization": f"Bearer {signed_in.json()['access_token']}"}, arthur.key
        )

        refused = await self.elevate(arthur, await other.options("/auth/elevate/passkey-options"))

        assert code(refused) == REFUSED

    async def test_user_without_a_passkey_gets_no_options(self, world: World) -> None:
        user = await world.user("arthur")
        arthur = PasskeyUser(world, user, await world.sign_in(user))

        assert code(await arthur.post("/auth/elevate/passkey-options")) == REFUSED
