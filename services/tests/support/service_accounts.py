"""A group with a service account, whose secrets and tokens come through HTTP."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from httpx2 import Response

from accounts.models import Role, User, UserGroup, Visibility
from support.people import World

TOKEN = "/oauth/token"
GRANT = {"grant_type": "client_credentials"}


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return the header of HTTP Basic."""
    return {"Authorization": f"Basic {b64encode(f'{client_id}:{secret}'.encode()).decode()}"}


@dataclass
class Squire:
    """A private group of Arthur, its owner, Kay, an admin, and Bors, a member, with one service account."""

    world: World
    group: UserGroup
    people: dict[str, User]
    headers: dict[str, dict[str, str]]
    id: str = ""
    secrets: list[dict[str, Any]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/user-groups/{self.group.id}/service-accounts"

    async def ask(self, method: str, path: str = "", who: str = "arthur", json: Any = None) -> Response:
        """Send a request of a person about the group's service accounts."""
        return await self.world.client.request(method, f"{self.path}{path}", headers=self.headers[who], json=json)

    async def create(self, name: str = "Squire", role: str = "member") -> str:
        """Create another service account, and return its id."""
        created = await self.ask("POST", json={"name": name, "role": role})
        assert created.status_code == 201, created.text
        account_id: str = created.json()["id"]
        return account_id

    async def secret(self, *scopes: str, account_id: str = "", **more: Any) -> dict[str, Any]:
        """Create a secret with scopes."""
        body = {"name": "production", "scopes": [*scopes] or ["members:read"], "expires_in_days": 30, **more}
        created = await self.ask("POST", f"/{account_id or self.id}/secrets", json=body)
        assert created.status_code == 201, created.text
        secret: dict[str, Any] = created.json()
        return secret

    async def request_token(self, secret: dict[str, Any], **form: Any) -> Response:
        """Exchange a secret, sent in the form."""
        client = {"client_id": secret["client_id"], "client_secret": secret["client_secret"]}
        return await self.world.client.post(TOKEN, data=GRANT | client | form)

    async def sign_in(self, secret: dict[str, Any], **form: Any) -> dict[str, str]:
        """Exchange a secret, and return the headers to send."""
        response = await self.request_token(secret, **form)
        assert response.status_code == 200, response.text
        return {"Authorization": f"Bearer {response.json()['access_token']}"}


async def squire_of(world: World) -> Squire:
    people = {name: await world.user(name, is_verified=True) for name in ("arthur", "kay", "bors", "mordred")}
    people["morgana"] = await world.user("morgana", superuser=True)
    roles = {"arthur": Role.OWNER, "kay": Role.ADMIN, "bors": Role.MEMBER}
    group = await world.group(
        "Knights", Visibility.PRIVATE, members={people[name]: role for name, role in roles.items()}
    )
    squire = Squire(world, group, people, {name: await world.sign_in(user) for name, user in people.items()})
    squire.id = await squire.create()
    return squire
