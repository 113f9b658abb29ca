"""Honest users of the API, and how long each of them waits."""

import asyncio
import base64
import itertools
import math
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from httpx2 import AsyncClient, HTTPError, Response

from faults.clients import GOOD
from support.people import PASSWORD

PEOPLE = 12
PAUSE = 0.4  # seconds between requests: the people of a network stay below the limit of sign-ins


@dataclass
class Waits:
    """The seconds that requests took, by kind; infinite for those that were refused. And the refusals."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: list[str] = field(default_factory=list)

    def p95(self, *kinds: str) -> float:
        """Return the 95th percentile, of all kinds by default, in seconds."""
        seconds = sorted(each for kind in kinds or self.seconds for each in self.seconds[kind])
        return seconds[int(len(seconds) * 0.95)]


class Person:
    """A user who signs in, and reads and refreshes with what that returned."""

    def __init__(self, client: AsyncClient, number: int) -> None:
        self.email = f"knight{number}@camelot.example.com"
        self._number = number
        self._client = client
        self._from = {"X-Forwarded-For": f"203.0.113.{number}"}
        self._tokens: dict[str, str] = {}
        self.group = 0

    @property
    def access_token(self) -> str:
        return self._tokens["access_token"]

    @property
    def session_id(self) -> uuid.UUID:
        """The session, which anyone can read who sees an access token."""
        return uuid.UUID(bytes=base64.urlsafe_b64decode(self._tokens["refresh_token"])[:16])

    async def begin(self) -> None:
        """Sign up and sign in."""
        person = {"email": self.email, "password": PASSWORD}
        (await self._client.post("/auth/register", json=person, headers=self._from)).raise_for_status()
        (await self.sign_in()).raise_for_status()

    async def create_group(self) -> int:
        """Create a group, and return its id."""
        group = await self._client.post("/user-groups", json={"name": self.email}, headers=self._bearer())
        return int(group.raise_for_status().json()["id"])

    async def sign_in(self) -> Response:
        return await self._exchange("login", {"username": self.email, "password": PASSWORD})

    async def refresh(self) -> Response:
        return await self._exchange("refresh", {"refresh_token": self._tokens["refresh_token"]})

    async def read_me(self) -> Response:
        return await self._client.get("/users/me", headers=self._bearer())

    async def list_members(self) -> Response:
        return await self._client.get(f"/user-groups/{self.group}/users", headers=self._bearer())

    async def live(self, waits: Waits, over: asyncio.Event) -> None:
        """Send requests of each kind in turn until it is over. People do not begin at the same time."""
        kinds: tuple[Callable[[], Awaitable[Response]], ...]
        kinds = self.sign_in, self.read_me, self.list_members, self.refresh
        await asyncio.sleep(self._number % PEOPLE / PEOPLE * PAUSE * len(kinds))
        for kind in itertools.cycle(kinds):
            await record(waits, kind)
            if over.is_set():
                return
            await asyncio.sleep(PAUSE)

    def _bearer(self) -> dict[str, str]:
        return self._from | {"Authorization": f"Bearer {self.access_token}"}

    async def _exchange(self, path: str, form: dict[str, str]) -> Response:
        response = await self._client.post(f"/auth/jwt/{path}", data=form, headers=self._from)
        if response.status_code == 200:
            self._tokens = response.json()
        return response


async def record(waits: Waits, kind: Callable[[], Awaitable[Response]]) -> None:
    """Send a request and record how long it took."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        response = await kind()
        refusal = "" if str(response.status_code) in GOOD else str(response.status_code)
    except HTTPError as error:
        refusal = type(error).__name__
    waits.seconds[kind.__name__].append(math.inf if refusal else loop.time() - begun)
    if refusal:
        waits.refused.append(f"{kind.__name__}: {refusal}")


@asynccontextmanager
async def living(people: list[Person]) -> AsyncIterator[Waits]:
    """Let people send requests until the block ends, and record them. No request is cut off."""
    waits, over = Waits(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(person.live(waits, over))
        yield waits
        over.set()
