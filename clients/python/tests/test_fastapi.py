"""The dependencies, in a service of their own."""

import logging
import uuid
from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Security
from httpx2 import ASGITransport, AsyncClient, Response

from accounts_client import AccessToken, Verifier
from accounts_client.fastapi import Accounts
from hostile import status
from issuer import INTROSPECT, JWKS, Issuer


def service(verifier: Verifier) -> FastAPI:
    app = FastAPI()
    accounts = Accounts(verifier)

    @app.get("/user")
    async def user(token: Annotated[AccessToken, Depends(accounts)]) -> uuid.UUID:
        return token.user_id

    @app.get("/live")
    async def live(token: Annotated[AccessToken, Depends(accounts.live)]) -> uuid.UUID:
        return token.user_id

    @app.get("/scopes")
    async def scopes(
        token: Annotated[AccessToken, Security(accounts, scopes=["groups:read", "members:read"])],
    ) -> uuid.UUID:
        return token.user_id

    @app.get("/live-scope")
    async def live_scope(token: Annotated[AccessToken, Security(accounts.live, scopes=["groups:read"])]) -> uuid.UUID:
        return token.user_id

    @app.get("/level")
    async def level(token: Annotated[AccessToken, Depends(accounts.level(2))]) -> uuid.UUID:
        return token.user_id

    @app.put("/groups/{group_id}/logo", dependencies=[Depends(accounts.group("admin"))])
    async def logo(group_id: int) -> int:
        return group_id

    @app.put("/groups/{group_id}/name")
    async def name(
        group_id: int, token: Annotated[AccessToken, Depends(accounts.group("admin", live=True))]
    ) -> uuid.UUID:
        return uuid.UUID(int=group_id) if group_id else token.user_id

    @app.get("/documents/{document_id}")
    async def document(document_id: int, token: Annotated[AccessToken, Depends(accounts)]) -> int:
        await accounts.require(token, 12, "member")
        return document_id

    return app


def client_of(verifier: Verifier) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(service(verifier)), base_url="http://second")


@pytest.fixture
async def client(verifier: Verifier) -> AsyncIterator[AsyncClient]:
    async with client_of(verifier) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def refusal(response: Response) -> tuple[int, str, str | None]:
    return response.status_code, response.json()["detail"], response.headers.get("WWW-Authenticate")


WEAK = (403, "ASSURANCE_REQUIRED", 'Bearer error="insufficient_user_authentication", acr_values="aal2"')


@pytest.mark.parametrize("acr", ["aal1", None, "aal3", "AAL2", "2"])
async def test_token_of_another_level_than_two_is_refused_where_a_second_factor_is_required(
    issuer: Issuer, client: AsyncClient, acr: str | None
) -> None:
    assert refusal(await client.get("/level", headers=bearer(issuer.token(acr=acr)))) == WEAK


async def test_token_of_level_two_is_admitted_where_a_second_factor_is_required(
    issuer: Issuer, client: AsyncClient
) -> None:
    response = await client.get("/level", headers=bearer(issuer.token(acr="aal2")))

    assert response.status_code == 200
    assert (await client.get("/level")).status_code == 401


EXPIRED = (401, "UNAUTHORIZED", 'Bearer error="invalid_token"')


async def test_user_of_a_valid_token_is_known(issuer: Issuer, client: AsyncClient) -> None:
    user_id = str(uuid.uuid4())
    token = issuer.token(sub=user_id)

    for headers in (bearer(token), {"Authorization": f"bearer {token}"}):
        response = await client.get("/user", headers=headers)
        assert (response.status_code, response.json()) == (200, user_id)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": ""}, {"Cookie": "a=b"}])
async def test_request_without_a_token_is_challenged_without_an_error(
    client: AsyncClient, headers: dict[str, str]
) -> None:
    """RFC 6750, 3.1."""
    for path in ("/user", "/live", "/scopes", "/documents/1"):
        assert refusal(await client.get(path, headers=headers)) == (401, "UNAUTHORIZED", "Bearer")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ü", "x" * 20_000])
async def test_invalid_token_is_refused_with_its_error(client: AsyncClient, token: str) -> None:
    for path in ("/user", "/live", "/scopes", "/documents/1"):
        response = await client.get(path, headers=[(b"Authorization", f"Bearer {token}".encode())])
        assert refusal(response) == EXPIRED


async def test_missing_scope_is_forbidden_and_named(issuer: Issuer, client: AsyncClient) -> None:
    response = await client.get("/scopes", headers=bearer(issuer.token(scope="groups:read")))

    challenge = 'Bearer error="insufficient_scope", scope="groups:read members:read"'
    assert refusal(response) == (403, "INSUFFICIENT_SCOPE", challenge)
    assert (await client.get("/live-scope", headers=bearer(issuer.token(scope="x")))).status_code == 403
    for scope in ("members:read x groups:read", "account"):
        assert (await client.get("/scopes", headers=bearer(issuer.token(scope=scope)))).status_code == 200


@pytest.mark.parametrize(("role", "expected"), [("member", 403), ("admin", 200), ("owner", 200), (None, 403)])
async def test_admin_may_do_what_a_member_may_not(
    issuer: Issuer, client: AsyncClient, role: str | None, expected: int
) -> None:
    """Whether the token says the role, or the issuer does."""
    told = issuer.token(groups={"12": role} if role else {})
    issuer.roles = {"12": role} if role else {}
    for path, token in (("logo", told), ("logo", issuer.token()), ("name", told)):
        response = await client.put(f"/groups/12/{path}", headers=bearer(token))
        assert response.status_code == expected
        if expected == 403:
            assert refusal(response) == (403, "INSUFFICIENT_ROLE", None)


async def test_role_may_be_required_within_a_route(issuer: Issuer, client: AsyncClient) -> None:
    for groups, expected in (({"12": "owner"}, 200), ({"13": "owner"}, 403)):
        response = await client.get("/documents/1", headers=bearer(issuer.token(groups=groups)))
        assert response.status_code == expected


async def test_group_that_is_no_number_is_no_role(issuer: Issuer, client: AsyncClient) -> None:
    for group in ("twelve", "1.5", "9" * 5000):
        response = await client.put(f"/groups/{group}/logo", headers=bearer(issuer.token(groups={"12": "admin"})))
        assert response.status_code in {403, 422}


async def test_without_claim_and_credentials_the_scope_of_the_claim_is_asked_for(issuer: Issuer) -> None:
    verifier = Verifier(issuer.url)
    async with client_of(verifier) as client:
        response = await client.put("/groups/12/logo", headers=bearer(issuer.token()))

    assert refusal(response) == (403, "INSUFFICIENT_SCOPE", 'Bearer error="insufficient_scope", scope="groups"')
    await verifier.close()


async def test_signed_out_user_is_refused_at_once_where_the_issuer_is_asked(
    issuer: Issuer, client: AsyncClient
) -> None:
    session, issuer.max_age = str(uuid.uuid4()), 0
    token = bearer(issuer.token(sid=session, groups={"12": "admin"}))
    issuer.roles = {"12": "admin"}
    assert (await client.get("/live", headers=token)).status_code == 200
    assert (await client.put("/groups/12/name", headers=token)).status_code == 200
    issuer.ended.add(session)

    assert refusal(await client.get("/live", headers=token)) == EXPIRED
    assert refusal(await client.put("/groups/12/name", headers=token)) == EXPIRED
    assert (await client.get("/user", headers=token)).status_code == 200  # until the token expires


async def test_role_and_live_session_take_one_request(issuer: Issuer, client: AsyncClient) -> None:
    await client.put("/groups/12/name", headers=bearer(issuer.token()))

    assert issuer.asked[INTROSPECT] == 1


@pytest.mark.parametrize("path", [JWKS, INTROSPECT])
async def test_issuer_that_is_away_is_no_fault_of_the_user(
    issuer: Issuer, client: AsyncClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.answers[path] = status(503)
    token = issuer.token()

    with caplog.at_level(logging.WARNING, "accounts_client"):
        response = await client.get("/live", headers=bearer(token))

    assert refusal(response) == (503, "ACCOUNTS_UNAVAILABLE", None)
    assert response.headers["Retry-After"] == "5"
    assert f"{path}: status 503" in caplog.text
    assert token not in caplog.text
    assert "acc_pat_of_this_service" not in caplog.text


async def test_openapi_has_the_scheme_with_the_issuers_token_url(issuer: Issuer, client: AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    flow = document["components"]["securitySchemes"]["accounts"]["flows"]["password"]
    assert flow["tokenUrl"] == f"{issuer.url}/auth/jwt/login"
    assert "groups" in flow["scopes"]
    security = {path: next(iter(item.values())).get("security") for path, item in document["paths"].items()}
    assert security == {path: [{"accounts": []}] for path in security} | {
        "/scopes": [{"accounts": ["groups:read", "members:read"]}],
        "/live-scope": [{"accounts": ["groups:read"]}],
    }
    parameters = document["paths"]["/groups/{group_id}/logo"]["put"]["parameters"]
    assert [parameter["name"] for parameter in parameters] == ["group_id"]
