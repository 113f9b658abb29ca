"""Account enumeration: after any request that takes an email, nothing that its sender can reach tells an email's state.

The walk covers every operation and page with a field for an email, and reads every operation and page afterwards.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from accounts.models import Role
from accounts.settings import SignUp
from support.operations import PATH_VALUES, Operation, name_of, operations, page_operations
from support.people import PASSWORD, World

ELSEWHERE = "198.51.100.1"  # its limits are not those of the sender
LANCELOT = "lancelot@camelot.example.com"
CHOSEN = "a-sword-in-a-stone"
EMAIL_FIELDS = {"email", "username"}
IMPORT = "/user-groups/{group_id}/users/import"
CHANGING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}"  # ids of users and mails
    r"|\d{4}-\d\d-\d\dT[0-9:.]+Z"
    r'|(?<="id":)\d+|(?<=/invitations/)\d+'
    r'|(?<="code_token":")[^"]+'
    r"|(?:in )?\d+ seconds?(?: ago)?|\bnow\b"
)
VOLATILE_HEADERS = {"x-request-id", "set-cookie", "content-length"}


async def free(_: World) -> None:
    """Nothing is known of the email."""


async def taken(world: World) -> None:
    await world.user("lancelot", is_verified=True)


async def unverified(world: World) -> None:
    await world.user("lancelot")


async def deactivated(world: World) -> None:
    await world.user("lancelot", is_active=False)


async def invited(world: World) -> None:
    headers = await world.sign_in("guinevere@camelot.example.com")
    [group] = (await world.client.get("/users/me/groups", headers=headers)).json()
    body = {"email": LANCELOT}
    path = f"/user-groups/{group['id']}/invitations"
    answer = await world.client_at(ELSEWHERE).post(path, headers=headers, json=body)
    assert answer.status_code == 201


async def registering(world: World) -> None:
    assert (await world.client_at(ELSEWHERE).post("/auth/register", json={"email": LANCELOT})).status_code == 201


async def reserved(world: World) -> None:
    """It was a user's until lately, and the change can be undone."""
    user = await world.user("lancelot", is_verified=True)
    headers = await world.sign_in(user)
    elsewhere = world.client_at(ELSEWHERE)
    await elsewhere.patch("/users/me", headers=headers, json={"email": "elsewhere@camelot.example.com"})
    assert (await elsewhere.post("/auth/confirm-email", json={"token": await world.token()})).status_code == 200


STATES: tuple[Callable[[World], Awaitable[None]], ...] = (
    taken,
    unverified,
    deactivated,
    invited,
    registering,
    reserved,
)


def takes_email(operation: Operation) -> bool:
    return not operation.is_safe and (not EMAIL_FIELDS.isdisjoint(operation.fields()) or operation.path == IMPORT)


# The administration does not exist for the sender; a test of each of its pages says so.
ALL = [each for each in (*operations(), *page_operations()) if not each.path.startswith("/admin")]
FLOWS = [each for each in ALL if takes_email(each)]
READS = [each for each in ALL if each.method == "get"]


def test_walk_finds_the_requests_with_an_email() -> None:
    assert {
        ("post", "/auth/register"),
        ("post", "/auth/forgot-password"),
        ("post", "/auth/code/request"),
        ("post", "/auth/request-verify-token"),
        ("post", "/auth/jwt/login"),
        ("patch", "/users/me"),
        ("post", "/user-groups/{group_id}/invitations"),
        ("post", IMPORT),
        ("post", "/account/register"),
        ("post", "/account/forgot-password"),
        ("post", "/account/sign-in"),
        ("post", "/account/sign-in-code"),
    } <= {flow[:2] for flow in FLOWS}


class Stranger:
    """A user with a group, who sends the requests."""

    def __init__(self, world: World, headers: dict[str, str], group_id: int) -> None:
        self.world = world
        self.headers = headers
        self.group_id = group_id

    async def send(self, operation: Operation) -> Any:
        values = {"email": LANCELOT, "username": LANCELOT, "password": CHOSEN, "current_password": PASSWORD}
        fields = {name: value for name, value in values.items() if name in operation.fields()}
        content: dict[str, Any] = {"data" if operation.is_form else "json": fields}
        headers = self.headers
        if operation.path == IMPORT:
            content = {"content": f"email\n{LANCELOT}\n"}
            headers = headers | {"Content-Type": "text/csv"}
        return self._seen(await self._request(operation, headers, **content))

    async def reach(self) -> dict[str, Any]:
        """Read everything, as the user and as anyone, and sign in with the password that was sent."""
        seen = {
            f"{name_of(read)}, {'signed in' if headers else 'anonymous'}": self._seen(
                await self._request(read, headers)
            )
            for read in READS
            for headers in (self.headers, {})
            if headers or "401" not in read.description["responses"]
        }
        return seen | {"sign-in with the password": self._seen(await self.world.login(LANCELOT, CHOSEN))}

    async def _request(self, operation: Operation, headers: dict[str, str], **content: Any) -> Response:
        path = operation.path.format_map(PATH_VALUES | {"group_id": self.group_id})
        return await self.world.client.request(operation.method, path, headers=headers, **content)

    def _seen(self, response: Response) -> Any:
        headers = {name: value for name, value in response.headers.items() if name not in VOLATILE_HEADERS}
        if "ratelimit" in headers:
            headers["ratelimit"] = headers["ratelimit"].rpartition(";t=")[0]
        return response.status_code, headers, CHANGING.sub("…", response.text)


async def stranger(world: World) -> Stranger:
    mordred, guinevere = [await world.user(name, is_verified=True) for name in ("mordred", "guinevere")]
    group = await world.group("Plot", members={mordred: Role.OWNER})
    await world.group("Chapel", members={guinevere: Role.OWNER})
    return Stranger(world, await world.sign_in(mordred), group.id)


async def observe(
    world: World, sender: Stranger, state: Callable[[World], Awaitable[None]], flow: Operation
) -> dict[str, Any]:
    """Return all that the sender sees after sending a request twice, and undo everything."""
    connection: AsyncConnection = world.sessionmaker.kw["bind"]
    async with connection.begin_nested() as savepoint:
        await state(world)
        seen = {"first response": await sender.send(flow), "second response": await sender.send(flow)}
        seen |= await sender.reach()
        await savepoint.rollback()
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("flow", FLOWS, ids=name_of)
async def test_request_with_an_email_reveals_nothing_about_it(world: World, flow: Operation) -> None:
    world.change_settings(sign_up=SignUp.VERIFIED, sign_in_by_code=True, throttle_scale=1)
    sender = await stranger(world)
    expected = await observe(world, sender, free, flow)

    for state in STATES:
        seen = await observe(world, sender, state, flow)
        differences = {name: (seen[name], expected[name]) for name in expected if seen[name] != expected[name]}
        assert not differences, state.__name__
