"""A group with invitations, and the actions of invited users."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from httpx2 import Response

from accounts.models import Role, UserGroup, Visibility
from support.people import PASSWORD, World

GALAHAD = "galahad@camelot.example.com"
OWN = "/users/me/invitations"


@dataclass
class Table:
    """A private group of an owner, an admin and a member, who are signed in."""

    world: World
    group: UserGroup
    owner: dict[str, str]
    admin: dict[str, str]
    member: dict[str, str]

    @property
    def path(self) -> str:
        return f"/user-groups/{self.group.id}/invitations"

    async def invite(self, email: str, **more: Any) -> Response:
        """Invite an address, as the admin unless ``headers`` say otherwise."""
        headers = more.pop("headers", self.admin)
        return await self.world.client.post(self.path, json={"email": email, **more}, headers=headers)

    async def token(self, email: str, **more: Any) -> str:
        """Invite an address and read its mail."""
        response = await self.invite(email, **more)
        assert response.status_code == 201, response.text
        return await self.world.token()

    async def roles(self) -> dict[str, str]:
        """Return the roles of the group's members by email."""
        answer = await self.world.client.get(f"/user-groups/{self.group.id}/users", headers=self.owner)
        return {each["email"].split("@")[0]: each["role"] for each in answer.json()}

    async def expire(self) -> None:
        """Let all invitations expire."""
        await self.world.sql("UPDATE invitation SET expires_at = now() - interval '1 s'")


async def table_of(world: World) -> Table:
    """Arthur owns the group, Guinevere is its admin, and Bors belongs to it. Their email addresses are verified."""
    names = {"arthur": Role.OWNER, "guinevere": Role.ADMIN, "bors": Role.MEMBER}
    members = {await world.user(name, is_verified=True): role for name, role in names.items()}
    group = await world.group("Round Table", Visibility.PRIVATE, members=members)
    return Table(world, group, *[await world.sign_in(each) for each in members])


def status_and_code(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["detail"]


async def register(world: World, email: str, token: str, password: str = PASSWORD) -> Response:
    body = {"email": email, "password": password, "invitation": token}
    return await world.client.post("/auth/register", json=body)


async def accept(world: World, token: str, headers: dict[str, str]) -> Response:
    return await world.client.post("/invitations/accept", json={"token": token}, headers=headers)


async def own(world: World, headers: dict[str, str]) -> list[dict[str, Any]]:
    """List one's own invitations."""
    invitations: list[dict[str, Any]] = (await world.client.get(OWN, headers=headers)).json()
    return invitations


async def me(world: World, headers: dict[str, str]) -> dict[str, Any]:
    user: dict[str, Any] = (await world.client.get("/users/me", headers=headers)).json()
    return user


def lasts(invitation: dict[str, Any]) -> timedelta:
    made, ends = (datetime.fromisoformat(invitation[name]) for name in ("created_at", "expires_at"))
    return ends - made
