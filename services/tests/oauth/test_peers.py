"""Libraries of other services configure themselves from the metadata, and verify, ask about and end real tokens."""

import json
from typing import Any

import jwt
import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from support.gunicorn import Gunicorn
from support.node import needs_node, run_script
from support.people import PASSWORD

pytestmark = pytest.mark.slow
EMAIL = "galahad@camelot.example.com"
METADATA = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
JOSE = """
import { createRemoteJWKSet, jwtVerify } from "jose";
const [metadata, token] = process.argv.slice(2);
const { issuer, jwks_uri } = await (await fetch(metadata)).json();
const keys = createRemoteJWKSet(new URL(jwks_uri));
const { payload } = await jwtVerify(token, keys, { issuer, audience: "accounts", typ: "at+jwt" });
console.log(payload.sub);
"""
OPENID_CLIENT = """
import { allowInsecureRequests, discovery, None, tokenIntrospection, tokenRevocation } from "openid-client";
const [issuer, algorithm, caller, token] = process.argv.slice(2);
const asCaller = (server, client, body, headers) => headers.set("authorization", `Bearer ${caller}`);
const configure = (authentication) =>
  discovery(new URL(issuer), "accounts", undefined, authentication, { algorithm, execute: [allowInsecureRequests] });
const config = await configure(asCaller);
const before = await tokenIntrospection(config, token);
await tokenRevocation(await configure(None()), token);
console.log(JSON.stringify([before, await tokenIntrospection(config, token)]));
"""


def sign_in(server: Gunicorn) -> dict[str, Any]:
    server.api.post("/auth/register", json={"email": EMAIL, "password": PASSWORD})
    response = server.api.post("/auth/jwt/login", data={"username": EMAIL, "password": PASSWORD, "scope": "groups"})
    answer: dict[str, Any] = response.raise_for_status().json()
    return answer


def user_id(server: Gunicorn, token: str) -> str:
    me: str = server.api.get("/users/me", headers={"Authorization": f"Bearer {token}"}).json()["id"]
    return me


@pytest.mark.parametrize("path", METADATA)
def test_pyjwt_and_joserfc_verify_tokens_by_the_metadata(server: Gunicorn, path: str) -> None:
    token = sign_in(server)["access_token"]
    metadata = server.api.get(path).json()

    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, audience="accounts", issuer=metadata["issuer"])
    verified = joserfc_jwt.decode(token, KeySet.import_key_set(server.api.get(metadata["jwks_uri"]).json()))

    assert claims["sub"] == verified.claims["sub"] == user_id(server, token)
    assert verified.header["typ"] == "at+jwt"
    assert claims["groups"] == {}


@needs_node
@pytest.mark.parametrize("path", METADATA)
def test_jose_verifies_tokens_by_the_metadata(server: Gunicorn, path: str) -> None:
    token = sign_in(server)["access_token"]

    assert run_script(JOSE, str(server.api.base_url.join(path)), token).strip() == user_id(server, token)


@needs_node
@pytest.mark.parametrize("algorithm", ["oauth2", "oidc"])
def test_openid_client_configures_itself_asks_about_tokens_and_ends_them(server: Gunicorn, algorithm: str) -> None:
    issuer = server.api.get(METADATA[0]).json()["issuer"]
    caller, token = sign_in(server)["access_token"], sign_in(server)["access_token"]

    before, after = json.loads(run_script(OPENID_CLIENT, issuer, algorithm, caller, token))

    assert before["active"]
    assert before["sub"] == user_id(server, caller)
    assert after == {"active": False}
