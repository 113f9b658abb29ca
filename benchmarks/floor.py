"""The least that Python can do: an ASGI function, an asyncpg pool, and JSON that PostgreSQL has built.

It leaves out what makes a service: validation, errors, headers, cursors. The answers hold the same, to the same token,
which it reads the cheap way. How far the project is from it is the price of all that the project does besides.
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
ME = sql.ME.format(db="$1", user="$2")
MEMBERS = sql.MEMBERS.format(group="$1", limit="$2")
MEMBERS_SEEN = sql.MEMBERS_SEEN.format(db="$1", user="$2", group="$3", limit="$4")
POOL: list[Any] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Serve, as ASGI has it."""
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
    """Leave a connection as it is: asyncpg's own way takes four statements, and these change nothing."""


async def _answer(path: str, query: bytes, authorization: bytes | None) -> bytes:
    claims = _claims(authorization.removeprefix(b"Bearer ")) if authorization else None
    if path == "/users/me" and claims:
        found = await POOL[0].fetchval(ME, claims["sid"], claims["sub"])
    elif path.startswith("/user-groups/"):
        group, limit = int(path.split("/")[2]), int(parse_qs(query)[b"limit"][0])
        if claims:
            found = await POOL[0].fetchval(MEMBERS_SEEN, claims["sid"], claims["sub"], group, limit)
        else:
            found = await POOL[0].fetchval(MEMBERS, group, limit)
    else:
        found = None
    return (found or "").encode()


def _claims(token: bytes) -> Any:
    signed, _, signature = token.rpartition(b".")
    if hmac.compare_digest(_decoded(signature), hmac.digest(SECRET, signed, hashlib.sha256)):
        claims = json.loads(_decoded(signed.partition(b".")[2]))
        if claims["exp"] > time.time():
            return claims
    return None


def _decoded(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
