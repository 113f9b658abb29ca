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
import * as oauth from "openid-client";
const [issuer, algorithm, id, secret, token] = process.argv.slice(2);
const options = { algorithm, execute: [oauth.allowInsecureRequests] };
const answers = [];
for (const authentication of [oauth.ClientSecretBasic(secret), oauth.ClientSecretPost(secret)]) {
  const config = await oauth.discovery(new URL(issuer), id, undefined, authentication, options);
  answers.push((await oauth.clientCredentialsGrant(config, { scope: "introspect" })).scope);
}
const service = await oauth.discovery(new URL(issuer), id, undefined, oauth.ClientSecretBasic(secret), options);
answers.push(await oauth.tokenIntrospection(service, token));
const anyone = await oauth.discovery(new URL(issuer), "accounts", undefined, oauth.None(), options);
await oauth.tokenRevocation(anyone, token);
answers.push(await oauth.tokenIntrospection(service, token));
console.log(JSON.stringify(answers));
"""


def sign_in(server: Gunicorn) -> dict[str, Any]:
    server.api.post("/auth/register", json={"email": EMAIL, "password": PASSWORD})
    response = server.api.post("/auth/jwt/login", data={"username": EMAIL, "password": PASSWORD, "scope": "groups"})
    answer: dict[str, Any] = response.raise_for_status().json()
    return answer


def user_id(server: Gunicorn, token: str) -> str:
    me: str = server.api.get("/users/me", headers={"Authorization": f"Bearer {token}"}).json()["id"]
    return me


def service_account(server: Gunicorn, tokens: dict[str, Any]) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    group = server.api.post("/user-groups", json={"name": "Round Table"}, headers=headers).raise_for_status().json()
    accounts = f"/user-groups/{group['id']}/service-accounts"
    account = server.api.post(accounts, json={"name": "Squire"}, headers=headers).raise_for_status().json()
    secret = {"name": "production", "scopes": ["introspect"], "expires_in_days": 1}
    created = server.api.post(f"{accounts}/{account['id']}/secrets", json=secret, headers=headers)
    answer: dict[str, str] = created.raise_for_status().json()
    return answer


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
def test_openid_client_gets_tokens_asks_about_them_and_ends_them(server: Gunicorn, algorithm: str) -> None:
    issuer = server.api.get(METADATA[0]).json()["issuer"]
    tokens = sign_in(server)
    secret = service_account(server, tokens)
    arguments = (issuer, algorithm, secret["client_id"], secret["client_secret"], tokens["access_token"])

    basic, post, before, after = json.loads(run_script(OPENID_CLIENT, *arguments))

    assert basic == post == "introspect"
    assert before["active"]
    assert after == {"active": False}
