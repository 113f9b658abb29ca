"""People who use the service while something is wrong with its database, and what they have seen."""

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
    """How many answers there were of which status, and how many seconds the longest took."""

    answers: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    expected: set[str] = field(default_factory=set)  # beyond what is always good
    other: str = ""  # an answer that was neither good nor a 503


class Clients:
    """Signed in, with a group of their own; what the service has acknowledged, they remember."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.begun = False
        self.seen = Seen()
        self.acknowledged: set[str] = set()
        self._group = 0

    async def begin(self) -> None:
        """Sign up and in, and make a group."""
        person = {"email": EMAIL, "password": PASSWORD}
        (await self.client.post("/auth/register", json=person)).raise_for_status()
        answer = (await self.login()).raise_for_status()
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        made = await self.client.post("/user-groups", json={"name": "Round Table", "visibility": "public"})
        self._group = made.raise_for_status().json()["id"]
        self.begun = True

    async def get(self, path: str) -> str:
        """Read something, for its status."""
        return await self.note(lambda: self.client.get(path))

    async def login(self) -> Response:
        return await self.client.post("/auth/jwt/login", data={"username": EMAIL, "password": PASSWORD})

    async def write(self) -> Response:
        """Create a group with a new name, and remember it if the response is a success."""
        name = f"group {next(NAMES)}"
        answer = await self.client.post("/user-groups", json={"name": name})
        if answer.status_code == 201:
            self.acknowledged.add(name)
        return answer

    async def do(self, number: int) -> str:
        """Make one request of each kind in turn: with and without the ORM, without and with writing and hashing."""
        paths = (f"/user-groups/{self._group}/users", "/users/me", "/user-groups")
        kinds = (*(lambda path=path: self.client.get(path) for path in paths), self.write, self.login, self.write)
        return await self.note(kinds[number % len(kinds)])

    async def note(self, request: Any) -> str:
        """Make a request and note its answer; no answer is noted as well."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            answer = await request()
        except HTTPError as error:
            kind = type(error).__name__
        else:
            kind = str(answer.status_code)
            if kind == UNAVAILABLE and "Retry-After" not in answer.headers:
                kind += " without Retry-After"
            if kind not in {*GOOD, UNAVAILABLE}:
                self.seen.other = answer.text
        self.seen.answers[kind] += 1
        self.seen.longest = max(self.seen.longest, loop.time() - begun)
        return kind

    @asynccontextmanager
    async def working(self, number: int = 4) -> AsyncIterator[None]:
        """So many people go on until the block ends, and are answered."""
        over = asyncio.Event()

        async def work(first: int) -> None:
            for each in itertools.count(first):
                await self.do(each)
                if over.is_set():
                    return
                await asyncio.sleep(PAUSE)

        async with asyncio.TaskGroup() as group:
            for each in range(number):
                group.create_task(work(each))
            yield
            over.set()

    async def at_once(self, requests: Sequence[Any]) -> list[str]:
        """Make requests at the same instant."""
        return await asyncio.gather(*map(self.note, requests))

    async def recovered(self) -> float:
        """Wait until one request of each kind is answered as it should be, and tell for how many seconds."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while loop.time() < begun + 30:
            if GOOD.issuperset(await asyncio.gather(*map(self.do, range(KINDS)))):
                return loop.time() - begun
            await asyncio.sleep(PAUSE)
        raise TimeoutError(f"does not recover: {self.seen}")
