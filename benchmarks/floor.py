"""The minimal implementation: an ASGI function, an asyncpg pool, and JSON built by PostgreSQL.

It returns the same data for the same tokens, but has no validation, errors, headers or cursors. The distance between it
and the project is the price of these.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from typing import Any
from urllib.parse import parse_qs

import asyncpg

from benchmarks import sql

SECRET = os.environ["SECRET_KEY"].encode()
ME = sql.ME.format(session="$1", user="$2")
MEMBERS = sql.MEMBERS.format(group="$1", limit="$2")
MEMBERS_SEEN = sql.MEMBERS_SEEN.format(session="$1", user="$2", group="$3", limit="$4")
POOL: list[Any] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Handle an ASGI connection."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    body = await _answer(scope["path"], scope["query_string"], dict(scope["headers"]).get(b"authorization"))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200 if body else 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    POOL.append(await asyncpg.create_pool(os.environ["DATABASE_URL"], server_settings={"jit": "off"}, reset=_keep))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await POOL.pop().close()
    await send({"type": "lifespan.shutdown.complete"})


async def _keep(_: Any) -> None:
    """Skip asyncpg's reset of four statements: nothing here changes the connection's state."""


async def _answer(path: str, query: bytes, authorization: bytes | None) -> bytes:
    claims = _claims(authorization.removeprefix(b"Bearer ")) if authorization else None
    if path == "/users/me" and claims:
        row = await POOL[0].fetchval(ME, claims["sid"], claims["sub"])
    elif path.startswith("/user-groups/"):
        group, limit = int(path.split("/")[2]), int(parse_qs(query)[b"limit"][0])
        if claims:
            row = await POOL[0].fetchval(MEMBERS_SEEN, claims["sid"], claims["sub"], group, limit)
        else:
            row = await POOL[0].fetchval(MEMBERS, group, limit)
    else:
        row = None
    return (row or "").encode()


def _claims(token: bytes) -> Any:
    signed, _, signature = token.rpartition(b".")
    if hmac.compare_digest(_decoded(signature), hmac.digest(SECRET, signed, hashlib.sha256)):
        claims = json.loads(_decoded(signed.partition(b".")[2]))
        if claims["exp"] > time.time():
            return claims
    return None


def _decoded(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
