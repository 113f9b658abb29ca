"""A service in JavaScript verifies access tokens with the library jose, by issuer and published keys."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support.gunicorn import gunicorn
from support.node import needs_node, run_script
from support.people import PASSWORD
from support.processes import free_port

pytestmark = [pytest.mark.slow, needs_node]
EMAIL = "galahad@camelot.example.com"
SCRIPT = """
import { createRemoteJWKSet, jwtVerify } from "jose";
const [issuer, token] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
const { payload } = await jwtVerify(token, keys, { issuer, audience: "accounts" });
console.log(payload.sub);
"""


def p256_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_access_token_is_verified_by_issuer_and_published_keys(fresh_database: str) -> None:
    port = str(free_port())
    issuer = f"http://127.0.0.1:{port}"
    with gunicorn(fresh_database, workers=1, API_PORT=port, PUBLIC_URL=issuer, SIGNING_KEY=p256_key()) as server:
        registered = server.api.post("/auth/register", json={"email": EMAIL, "password": PASSWORD}).json()
        tokens = server.api.post("/auth/jwt/login", data={"username": EMAIL, "password": PASSWORD}).json()

        assert run_script(SCRIPT, issuer, tokens["access_token"]).strip() == registered["id"]
