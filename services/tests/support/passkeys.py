"""Users with passkeys, through HTTP."""

from dataclasses import dataclass, field
from typing import Any

from httpx2 import Response

from accounts.models import User
from support.authenticator import Authenticator
from support.people import PASSWORD, World

MINE = "/users/me/passkeys"


@dataclass
class PasskeyUser:
    """A signed-in user with an authenticator."""

    world: World
    user: User
    headers: dict[str, str]
    key: Authenticator = field(default_factory=Authenticator)

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Response:
        return await self.world.client.post(path, json=body, headers=self.headers)

    async def options(self, path: str = f"{MINE}/options", **body: Any) -> dict[str, Any]:
        """Begin a ceremony of the session."""
        response = await self.post(path, body or None)
        assert response.status_code == 200, response.text
        options: dict[str, Any] = response.json()
        return options

    async def add(self, key: Authenticator | None = None, name: str = "Phone") -> Response:
        """Add a passkey."""
        created = (key or self.key).create(await self.options())
        return await self.post(MINE, {"name": name, "passkey": created})

    async def passkeys(self) -> list[dict[str, Any]]:
        response = await self.world.client.get(MINE, headers=self.headers)
        passkeys: list[dict[str, Any]] = response.json()
        return passkeys

    async def password_sign_in(self) -> dict[str, Any]:
        """Sign in with the password, and return the problem that asks for the second factor."""
        response = await self.world.login(self.user, PASSWORD)
        assert response.status_code == 403, response.text
        problem: dict[str, Any] = response.json()
        return problem

    async def second_factor_options(self, mfa_token: str) -> dict[str, Any]:
        return await self.options("/auth/mfa/passkey-options", mfa_token=mfa_token)


async def with_passkey(world: World, name: str = "arthur", **authenticator: Any) -> PasskeyUser:
    """Store a user, sign in, and add a passkey."""
    user = await world.user(name)
    person = PasskeyUser(world, user, await world.sign_in(user), Authenticator(**authenticator))
    response = await person.add()
    assert response.status_code == 201, response.text
    return person


async def sign_in_options(world: World) -> dict[str, Any]:
    response = await world.client.post("/auth/passkeys/options")
    assert response.status_code == 200, response.text
    options: dict[str, Any] = response.json()
    return options


async def present(world: World, passkey: dict[str, Any], kind: str = "jwt", **body: Any) -> Response:
    """Sign in with the answer of an authenticator."""
    return await world.client.post(f"/auth/{kind}/passkey", json={"passkey": passkey, **body})


async def sign_in(world: World, key: Authenticator) -> Response:
    return await present(world, key.get(await sign_in_options(world)))


def code(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["detail"]
