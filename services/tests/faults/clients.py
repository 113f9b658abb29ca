"""Clients of the API during a fault, and the responses that they got."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from httpx2 import AsyncClient, HTTPError, Response

from support.people import PASSWORD

EMAIL = "morgana@camelot.example.com"
GOOD = {"200", "201"}
UNAVAILABLE = "503"
PAUSE = 0.1
KINDS = 6
NAMES = itertools.count()


@dataclass
class Seen:
    """The number of responses by status, and the duration of the slowest in seconds."""

    answers: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    expected: set[str] = field(default_factory=set)  # besides GOOD and UNAVAILABLE
    other: str = ""  # the last unexpected response


class Clients:
    """Clients that share a sign-in and a group. ``acknowledged`` has the names of the groups that were created."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.begun = False
        self.seen = Seen()
        self.acknowledged: set[str] = set()
        self._group = 0

    async def begin(self) -> None:
        """Sign up, sign in and create a group."""
        person = {"email": EMAIL, "password": PASSWORD}
        (await self.client.post("/auth/register", json=person)).raise_for_status()
        login = (await self.login()).raise_for_status()
        self.client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        group = await self.client.post("/user-groups", json={"name": "Round Table", "visibility": "public"})
        self._group = group.raise_for_status().json()["id"]
        self.begun = True

    async def get(self, path: str) -> str:
        """Get a path, and return the status."""
        return await self.record(lambda: self.client.get(path))

    async def login(self) -> Response:
        return await self.client.post("/auth/jwt/login", data={"username": EMAIL, "password": PASSWORD})

    async def write(self) -> Response:
        """Create a group with a new name, and remember it if the response is a success."""
        name = f"group {next(NAMES)}"
        response = await self.client.post("/user-groups", json={"name": name})
        if response.status_code == 201:
            self.acknowledged.add(name)
        return response

    async def request(self, number: int) -> str:
        """Send the request with a number: in turn reads without and with the ORM, writes, and a sign-in."""
        paths = (f"/user-groups/{self._group}/users", "/users/me", "/user-groups")
        kinds = (*(lambda path=path: self.client.get(path) for path in paths), self.write, self.login, self.write)
        return await self.record(kinds[number % len(kinds)])

    async def record(self, send: Any) -> str:
        """Send a request, and record the status, or the name of the error if there is no response."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            response = await send()
        except HTTPError as error:
            kind = type(error).__name__
        else:
            kind = str(response.status_code)
            if kind == UNAVAILABLE and "Retry-After" not in response.headers:
                kind += " without Retry-After"
            if kind not in {*GOOD, UNAVAILABLE}:
                self.seen.other = response.text
        self.seen.answers[kind] += 1
        self.seen.longest = max(self.seen.longest, loop.time() - begun)
        return kind

    @asynccontextmanager
    async def load(self, number: int = 4) -> AsyncIterator[None]:
        """Send requests from ``number`` clients until the block ends, and wait for their responses."""
        over = asyncio.Event()

        async def work(first: int) -> None:
            for turn in itertools.count(first):
                await self.request(turn)
                if over.is_set():
                    return
                await asyncio.sleep(PAUSE)

        async with asyncio.TaskGroup() as group:
            for first in range(number):
                group.create_task(work(first))
            yield
            over.set()

    async def at_once(self, requests: Sequence[Any]) -> list[str]:
        """Send requests at the same instant."""
        return await asyncio.gather(*map(self.record, requests))

    async def recovered(self) -> float:
        """Wait until one request of each kind succeeds, and return after how many seconds."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while loop.time() < begun + 30:
            if GOOD.issuperset(await asyncio.gather(*map(self.request, range(KINDS)))):
                return loop.time() - begun
            await asyncio.sleep(PAUSE)
        raise TimeoutError(f"does not recover: {self.seen}")
