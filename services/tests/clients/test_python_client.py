"""The Python package for other services, against the API as it ships."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import Depends, FastAPI
from httpx2 import ASGITransport, AsyncClient

from accounts.models import Role, Visibility
from accounts_client import AccessToken, IssuerUnavailable, Verifier
from accounts_client.fastapi import Accounts
from keys import key_pair
from support.gunicorn import Gunicorn, gunicorn
from support.people import PASSWORD, World
from support.processes import free_port

pytestmark = pytest.mark.slow


class Issuer:
    """The API at an address that stays the same when it is restarted."""

    def __init__(self, database: str) -> None:
        self.database, self.port, self.stack = database, free_port(), ExitStack()
        self.url = f"http://127.0.0.1:{self.port}"
        self.keys = [key_pair()]

    def start(self) -> None:
        settings = {"API_PORT": str(self.port), "PUBLIC_URL": self.url, "SIGNING_KEY": "\n".join(self.keys)}
        self.server: Gunicorn = self.stack.enter_context(gunicorn(self.database, workers=1, **settings))

    def stop(self) -> None:
        self.stack.close()

    def rotate(self) -> None:
        """Sign with a new key at once, as if a key were replaced by hand."""
        self.stop()
        self.keys = [key_pair(), *self.keys]
        self.start()

    def sign_in(self, email: str, **form: str) -> str:
        response = self.server.api.post("/auth/jwt/login", data={"username": email, "password": PASSWORD} | form)
        assert response.status_code == 200, response.text
        token: str = response.json()["access_token"]
        return token

    def sign_out(self, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        assert self.server.api.post("/auth/jwt/logout", headers=headers).status_code == 204


@pytest.fixture
def issuer(fresh_database: str) -> Iterator[Issuer]:
    issuer = Issuer(fresh_database)
    issuer.start()
    yield issuer
    issuer.stop()


@asynccontextmanager
async def second_service(verifier: Verifier) -> AsyncIterator[AsyncClient]:
    app, accounts = FastAPI(), Accounts(verifier)

    @app.get("/me")
    async def me(token: Annotated[AccessToken, Depends(accounts)]) -> UUID:
        return token.user_id

    @app.get("/live")
    async def live(token: Annotated[AccessToken, Depends(accounts.live)]) -> UUID:
        return token.user_id

    @app.put("/groups/{group_id}/logo", dependencies=[Depends(accounts.group("admin"))])
    async def logo(group_id: int) -> int:
        return group_id

    async with AsyncClient(transport=ASGITransport(app), base_url="http://second") as client:
        yield client
    await verifier.close()


def bearer(token: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


async def test_second_service_knows_users_roles_and_sign_outs(issuer: Issuer, busy_world: World) -> None:
    merlin, arthur, bors = [await busy_world.user(name) for name in ("merlin", "arthur", "bors")]
    group = await busy_world.group("Table", Visibility.PRIVATE, members={arthur: Role.ADMIN, bors: Role.MEMBER})
    admin, member = issuer.sign_in(arthur.email), issuer.sign_in(bors.email)
    verifier = Verifier(issuer.url, credentials=issuer.sign_in(merlin.email))

    async with second_service(verifier) as service:
        for path in ("/me", "/live"):
            assert (await service.get(path, **bearer(admin))).json() == str(arthur.id)
        logo = f"/groups/{group.id}/logo"
        assert (await service.put(logo, **bearer(admin))).status_code == 200
        assert (await service.put(logo, **bearer(member))).status_code == 403
        issuer.sign_out(member)
        assert (await service.get("/live", **bearer(member))).status_code == 401
        assert (await service.get("/me", **bearer(member))).status_code == 200


async def test_roles_in_the_token_need_no_credentials(issuer: Issuer, busy_world: World) -> None:
    arthur, bors = [await busy_world.user(name) for name in ("arthur", "bors")]
    group = await busy_world.group("Table", Visibility.PRIVATE, members={arthur: Role.OWNER, bors: Role.MEMBER})

    async with second_service(Verifier(issuer.url)) as service:
        statuses = []
        for user in (arthur, bors):
            token = issuer.sign_in(user.email, scope="groups")
            statuses.append((await service.put(f"/groups/{group.id}/logo", **bearer(token))).status_code)
        unasked = await service.put(f"/groups/{group.id}/logo", **bearer(issuer.sign_in(arthur.email)))

    assert statuses == [200, 403]
    assert unasked.json()["detail"] == "INSUFFICIENT_SCOPE"


async def test_no_token_is_refused_while_keys_rotate_and_the_issuer_restarts(issuer: Issuer, busy_world: World) -> None:
    arthur = await busy_world.user("arthur")
    verifier = Verifier(issuer.url, credentials="acc_pat_none")
    old = await verifier.verify(issuer.sign_in(arthur.email))
    issuer.stop()
    assert await verifier.verify(old.raw) == old
    with pytest.raises(IssuerUnavailable):
        await verifier.ensure_live(old)

    issuer.rotate()
    new = await verifier.verify(issuer.sign_in(arthur.email))

    assert new.user_id == old.user_id
    assert await verifier.verify(old.raw) == old
    await verifier.close()


async def test_tokens_that_only_the_issuer_can_verify_are_no_ones_fault(fresh_database: str, busy_world: World) -> None:
    issuer = Issuer(fresh_database)
    issuer.keys = []
    issuer.start()
    verifier = Verifier(issuer.url)

    with pytest.raises(IssuerUnavailable, match="SIGNING_KEY"):
        await verifier.verify(issuer.sign_in((await busy_world.user("arthur")).email))

    issuer.stop()
    await verifier.close()


async def test_service_account_asks_with_its_id_and_secret_and_has_tokens_of_its_own(
    issuer: Issuer, busy_world: World
) -> None:
    arthur = await busy_world.user("arthur")
    group = await busy_world.group("Table", Visibility.PRIVATE, members={arthur: Role.OWNER})
    token, api = issuer.sign_in(arthur.email), issuer.server.api
    accounts = f"/user-groups/{group.id}/service-accounts"
    account = api.post(accounts, json={"name": "Second service"}, **bearer(token)).json()["id"]
    secret = {"name": "production", "scopes": ["introspect"], "expires_in_days": 30}
    created = api.post(f"{accounts}/{account}/secrets", json=secret, **bearer(token)).json()
    credentials = (account, created["client_secret"])
    form = {"grant_type": "client_credentials"}
    own = api.post("/oauth/token", data=form, auth=credentials).json()["access_token"]

    async with second_service(Verifier(issuer.url, credentials=credentials)) as service:
        assert (await service.get("/live", **bearer(token))).json() == str(arthur.id)
        assert (await service.get("/live", **bearer(own))).json() == account
        assert (await service.put(f"/groups/{group.id}/logo", **bearer(token))).status_code == 200
        refused = await service.put(f"/groups/{group.id}/logo", **bearer(own))
        issuer.sign_out(token)
        assert (await service.put(f"/groups/{group.id + 1}/logo", **bearer(token))).status_code == 401

    assert (refused.status_code, refused.json()["detail"]) == (403, "INSUFFICIENT_ROLE")
