"""Users with an authenticator app: pyotp is the phone."""

from typing import Any, NamedTuple

import pyotp
from httpx2 import Response

from support.people import PASSWORD, World

PERIOD = 30


class Phone(NamedTuple):
    """An authenticator app, and the recovery codes that came with it. ``headers`` are those of the session."""

    world: World
    headers: dict[str, str]
    app: pyotp.TOTP
    recovery_codes: list[str]

    async def code(self) -> str:
        """Return the current code, which is accepted also if the last one was used in the same half minute."""
        await self.world.sql("UPDATE totp SET last_step = 0")
        return self.app.now()


async def create_secret(world: World, headers: dict[str, str]) -> str:
    created = await world.client.post("/users/me/totp", headers=headers)
    assert created.status_code == 201, created.text
    return str(created.json()["secret"])


async def confirm(world: World, headers: dict[str, str], code: str) -> Response:
    return await world.client.post("/users/me/totp/confirm", json={"code": code}, headers=headers)


async def add_app(world: World, headers: dict[str, str]) -> Phone:
    """Add an authenticator app in the session of ``headers``."""
    app = pyotp.TOTP(await create_secret(world, headers))
    confirmed = await confirm(world, headers, app.now())
    assert confirmed.status_code == 200, confirmed.text
    return Phone(world, headers, app, confirmed.json()["recovery_codes"])


async def user_with_app(world: World, name: str = "arthur", **changes: Any) -> Phone:
    """Store a user who has an authenticator app, and who is signed in."""
    user = await world.user(name, **changes)
    return await add_app(world, await world.sign_in(user))


async def mfa_token(world: World, name: str = "arthur", **form: str) -> str:
    """Sign in with the password, and return the token of the sign-in that waits for the second factor."""
    form = {"username": f"{name}@camelot.example.com", "password": PASSWORD, **form}
    refused = await world.client.post("/auth/jwt/login", data=form)
    assert refused.status_code == 403, refused.text
    return str(refused.json()["mfa_token"])


async def finish(world: World, token: str, how: str = "jwt", **answer: Any) -> Response:
    return await world.client.post(f"/auth/{how}/mfa", json={"mfa_token": token, **answer})


async def elevate(world: World, headers: dict[str, str], **proof: Any) -> Response:
    return await world.client.post("/auth/elevate", json=proof, headers=headers)


def bearer(answer: Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def age(world: World, minutes: int = 60) -> None:
    """Let the last authentication of all sessions be long ago."""
    await world.sql(f"UPDATE user_session SET authenticated_at = now() - interval '{minutes} minutes'")  # noqa: S608  # a number
