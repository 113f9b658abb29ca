"""Hostile clients, one function each: it sends one request of a client with a number, and returns the status.

``python -m faults.attacks SECONDS NAME …`` runs them in a process of their own, and not in that of the honest clients.
It reads a ``Target`` as JSON from standard input, and writes the statuses by attack.
"""

import asyncio
import base64
import json
import os
import secrets
import sys
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

from faults.raw_requests import head, request, send

MARKS = "a" + "\u0301" * 15_000 + "\u0327" * 15_000  # 60 KB, and slow to normalise
ROWS = "email\n" + "".join(f"guest{number}@camelot.example.com\n" for number in range(50_000))
UPLOADS = 4
FORM, JSON, CSV = "application/x-www-form-urlencoded", "application/json", "text/csv"
PAUSE = 1.0  # seconds after each response: what hurts is to be the request, and not the volume
COOKIE = "Cookie: accounts_session=x\r\n"


@dataclass(frozen=True)
class Target:
    """The API's port, a hostile user's access token and group, and what the attacker knows of an honest user."""

    port: int
    token: str
    group: int
    victim: str
    session_id: str

    @property
    def bearer(self) -> str:
        """The header of the hostile user."""
        return f"Authorization: Bearer {self.token}\r\n"


Attack = Callable[[Target, int], Awaitable[str]]


async def marks(target: Target, number: int) -> str:
    """60 KB of combining marks in text fields."""
    login = {"email": "x@example.com", "password": MARKS}
    form = urlencode({"username": "x@example.com"}) + f"&password={MARKS}"
    return await send(
        target.port,
        (
            request("POST", "/auth/register", number, JSON, json.dumps(login, ensure_ascii=False)),
            request("POST", "/auth/jwt/login", number, FORM, form),
            request("POST", "/account/sign-in", number, FORM, form),
            request("PATCH", "/users/me", number, JSON, f'{{"display_name": "{MARKS}"}}', target.bearer),
        )[number % 4],
    )


async def forms(target: Target, number: int) -> str:
    """Form bodies that are malformed, chunked or too large."""
    chunked = f"Content-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n"
    large = f"Content-Type: {FORM}\r\nContent-Length: 5000000\r\n"
    path = ("/account/sign-in", "/auth/jwt/login")[number // 4 % 2]
    return await send(
        target.port,
        *(
            (request("POST", path, number, "multipart/form-data", "x"),),
            (request("POST", path, number, "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-da"),),
            (head("POST", path, number, chunked), *[b"400\r\n" + b"x" * 1024 + b"\r\n"] * 70),
            (head("POST", path, number, large), b"x" * 100_000),
        )[number % 4],
    )


async def origins(target: Target, number: int) -> str:
    """Origin headers of 28 KB that no URL parser accepts."""
    return await send(
        target.port,
        request("POST", "/account/sign-in", number, FORM, "username=x", f"{COOKIE}Origin: http://[{'!.' * 14_000}\r\n"),
    )


async def passwords(target: Target, number: int) -> str:
    """One user changes the password on 140 connections."""
    password = json.dumps({"password": secrets.token_urlsafe(16)})
    return await send(target.port, request("PATCH", "/users/me", number, JSON, password, target.bearer))


async def imports(target: Target, number: int) -> str:
    """Dry runs of 50,000 rows, and 60 other requests for the same group at a time."""
    path = f"/user-groups/{target.group}"
    if number < UPLOADS:
        return await send(
            target.port, request("POST", f"{path}/users/import?dry_run=true", number, CSV, ROWS, target.bearer)
        )
    return await send(target.port, request("PATCH", path, number, JSON, '{"description": "x"}', target.bearer))


async def refreshes(target: Target, number: int) -> str:
    """Forged refresh tokens of an honest user's session."""
    forged = base64.urlsafe_b64encode(uuid.UUID(target.session_id).bytes + secrets.token_bytes(32)).decode()
    return await send(
        target.port, request("POST", "/auth/jwt/refresh", number, FORM, urlencode({"refresh_token": forged}))
    )


async def resets(target: Target, number: int) -> str:
    """Password resets, requested for an honest user and for addresses that have no account."""
    email = target.victim if number % 2 else f"{secrets.token_hex(4)}@example.com"
    return await send(target.port, request("POST", "/auth/forgot-password", number, JSON, json.dumps({"email": email})))


async def slow(target: Target, number: int) -> str:
    """300 clients send heads and bodies byte by byte."""
    whole = request(
        "POST", "/auth/register", number, JSON, json.dumps({"email": "x@example.com", "password": "x" * 99})
    )
    body = whole.index(b"{")
    sent = 1 if number % 2 else body
    return await send(target.port, whole[:sent], *(whole[at : at + 1] for at in range(sent, len(whole))), pause=1)


CLIENTS: dict[Attack, int] = {
    marks: 40,
    forms: 40,
    origins: 40,
    passwords: 140,
    imports: 60 + UPLOADS,
    refreshes: 40,
    resets: 40,
    slow: 300,
}
ATTACKS = {attack.__name__: attack for attack in CLIENTS}


async def run(target: Target, seconds: float, names: Sequence[str]) -> dict[str, Counter[str]]:
    """Run attacks at the same time for some seconds, and return the statuses by attack."""
    statuses: dict[str, Counter[str]] = {name: Counter() for name in names}

    async def client(name: str, number: int) -> None:
        await asyncio.sleep(PAUSE * number / CLIENTS[ATTACKS[name]])
        while True:
            statuses[name][await ATTACKS[name](target, number)] += 1
            await asyncio.sleep(PAUSE)

    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(client(name, number) for name in names for number in range(CLIENTS[ATTACKS[name]])))
    return statuses


if __name__ == "__main__":
    os.nice(19)  # real attackers use processors of their own, and not those of the service
    print(json.dumps(asyncio.run(run(Target(**json.load(sys.stdin)), float(sys.argv[1]), sys.argv[2:]))))
