"""The snippets of "Verify tokens" accept access tokens of the API as it ships, and refuse others."""

import uuid
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from joserfc.errors import JoseError

from accounts.domain.sessions.keys import key_of_pair
from keys import key_pair
from support.gunicorn import gunicorn
from support.people import PASSWORD, World
from support.processes import free_port
from support.project import ROOT, blocks

REFUSALS = (jwt.PyJWTError, JoseError, ValueError)
SNIPPETS = {
    section: next(block.text for block in blocks(ROOT / "docs/verify-tokens.md", section) if block.language == "python")
    for section in ("PyJWT", "joserfc")
}


def reader(section: str, url: str, *arguments: Any) -> Callable[[str], dict[str, Any]]:
    """Return the function of a snippet, for the issuer at ``url``."""
    names: dict[str, Any] = {}
    exec(SNIPPETS[section].replace("http://localhost:8000", url), names)  # noqa: S102  # the snippet of the page
    return lambda token: names["read_token"](token, *arguments)


@pytest.mark.slow
async def test_snippets_read_access_tokens_and_nothing_else(fresh_database: str, busy_world: World) -> None:
    arthur, pem, port = await busy_world.user("arthur"), key_pair(), free_port()
    url = f"http://127.0.0.1:{port}"
    with gunicorn(fresh_database, workers=1, API_PORT=str(port), PUBLIC_URL=url, SIGNING_KEY=pem) as server:
        form = {"username": arthur.email, "password": PASSWORD}
        token = server.api.post("/auth/jwt/login", data=form).json()["access_token"]
        jwks = server.api.get("/.well-known/jwks.json").json()
        pyjwt, joserfc = reader("PyJWT", url), reader("joserfc", url, jwks)
        claims, header = jwt.decode(token, options={"verify_signature": False}), jwt.get_unverified_header(token)
        private, forger = key_of_pair(pem.encode()).private, key_of_pair(key_pair().encode()).private
        forged = [
            jwt.encode(claims | changes, key, "ES256", header | {"typ": typ})
            for changes, key, typ in (
                ({}, forger, "at+jwt"),
                ({}, private, "JWT"),
                ({"iss": "http://localhost"}, private, "at+jwt"),
                ({"aud": "others"}, private, "at+jwt"),
                ({"exp": claims["iat"] - 60}, private, "at+jwt"),
            )
        ]
        unsigned = jwt.encode(claims, "", "none", header | {"alg": "none"})
        for read in (pyjwt, joserfc):
            assert uuid.UUID(read(token)["sub"]) == arthur.id
            for other in (*forged, unsigned):
                with pytest.raises(REFUSALS):
                    read(other)
