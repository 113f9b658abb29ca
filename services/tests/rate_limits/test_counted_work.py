"""What costs the service something is counted first: invalid requests, writes of signed-in users, and hashes."""

import asyncio
import threading
from functools import partial
from typing import Any

import pytest
from httpx2 import Response

from accounts.api.oauth_errors import TOKEN_ENDPOINTS
from accounts.domain.client_network import site
from accounts.domain.errors import Busy
from accounts.domain.identity import password_hashing
from accounts.domain.identity.hashing_queue import HashingQueue
from accounts.domain.rate_limits import counting
from accounts.domain.rate_limits.gcra import Limit
from accounts.domain.rate_limits.rules import HOUR, RULES, Attempt, Rule
from support.operations import PATH_VALUES, Operation, name_of, operations, page_operations
from support.people import PASSWORD, World

NEW = "a-sword-in-a-stone"
ONCE = (Limit(1, HOUR),)
UNLIMITED = (Limit(10**6, HOUR),)
OPERATIONS = list(operations())
ANONYMOUS = [each for each in OPERATIONS if not each.is_safe and not each.needs_user]
PAGES = [each for each in page_operations() if not each.is_safe]
QUESTIONS = {"/oauth/introspect"}  # they write nothing, and have a limit of their own
WRITES = [each for each in OPERATIONS if not each.is_safe and each.needs_user and each.path not in QUESTIONS]
PASSWORDS = [each for each in OPERATIONS if any(field.get("format") == "password" for field in each.fields().values())]


def limit_to_one(monkeypatch: pytest.MonkeyPatch, *attempts: Attempt) -> None:
    for attempt in Attempt:
        limits, rule = ONCE if attempt in attempts else UNLIMITED, RULES[attempt]
        network = UNLIMITED if rule.account else limits
        monkeypatch.setitem(RULES, attempt, Rule(rule.group, network=network, account=limits))


async def call(world: World, operation: Operation, headers: dict[str, str], body: dict[str, Any]) -> Response:
    content: dict[str, Any] = {"data" if operation.is_form else "json": body}
    return await world.client.request(operation.method, operation.url, headers=headers, **content)


@pytest.mark.parametrize("operation", ANONYMOUS, ids=name_of)
async def test_invalid_request_of_a_stranger_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch, operation: Operation
) -> None:
    limit_to_one(monkeypatch, *Attempt)
    world.change_settings(throttle_scale=1)

    answers = [await call(world, operation, {}, {"unknown": "field"}) for _ in range(2)]

    invalid = 400 if operation.path in TOKEN_ENDPOINTS else 422 if operation.fields() else 200  # without a body
    assert [answer.status_code for answer in answers] == [invalid, 429]


MEDIA_TYPES = (
    "Application/X-WWW-Form-Urlencoded",
    "APPLICATION/JSON",
    "text/plain",
    "multipart/form-data",
    "application/x-www-form-urlencoded; charset=\xff",
    "",
)


@pytest.mark.parametrize("operation", [*ANONYMOUS, *PAGES], ids=name_of)
async def test_no_media_type_causes_a_server_error(world: World, operation: Operation) -> None:
    for media_type in MEDIA_TYPES:
        for content in (b"username=a@example.com&email=a@example.com&password=x", b'{"email": "a@example.com"}'):
            headers = [(b"Content-Type", media_type.encode("latin-1"))]

            answer = await world.client.request(operation.method, operation.url, headers=headers, content=content)

            assert answer.status_code < 500, (media_type, content, answer.text)


async def test_media_type_is_compared_without_case(world: World) -> None:
    arthur = await world.user("arthur")
    headers = {"Content-Type": "Application/X-WWW-Form-Urlencoded"}
    content = f"username={arthur.email}&password={PASSWORD}"

    assert (await world.client.post("/auth/jwt/login", content=content, headers=headers)).status_code == 200


async def test_sign_ins_that_are_refused_as_busy_lock_no_user_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    arthur = await world.user("arthur")
    world.change_settings(throttle_scale=1)
    with monkeypatch.context() as full_queue:
        full_queue.setattr(world.passwords.queue, "places", 0)
        busy = [await world.login(arthur) for _ in range(20)]

    assert {answer.status_code for answer in busy} == {503}
    assert (await world.login(arthur)).status_code == 200


@pytest.mark.parametrize(
    ("addresses", "status"), [(("2001:db8:1:1::1", "2001:db8:1:2::1"), 503), (("192.0.2.1", "192.0.2.2"), 400)]
)
async def test_networks_of_one_site_share_their_places_in_the_hashing_queue(
    busy_world: World, addresses: tuple[str, str], status: int
) -> None:
    form = {"username": "unknown@example.com", "password": PASSWORD}
    busy_world.passwords.queue.share = 1
    finish, started = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(started.set)
        finish.wait()

    flood = asyncio.create_task(busy_world.passwords.queue.run(work, (site(addresses[0]) or addresses[0], "")))
    await started.wait()
    sign_in = asyncio.create_task(busy_world.client_at(addresses[1]).post("/auth/jwt/login", data=form))
    await asyncio.wait([sign_in], timeout=0.2)
    finish.set()

    assert (await sign_in).status_code == status
    await flood


@pytest.mark.parametrize("operation", WRITES, ids=name_of)
async def test_every_write_of_a_user_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch, operation: Operation
) -> None:
    headers = await world.sign_in(await world.user("arthur", superuser=True))
    limit_to_one(monkeypatch, Attempt.WRITE)
    world.change_settings(throttle_scale=1)
    assert (await world.client.patch("/users/me", headers=headers, json={})).status_code == 200

    answer = await call(world, operation, headers, {})

    assert (answer.status_code, answer.json()["detail"]) == (429, "TOO_MANY_ATTEMPTS")


async def test_exports_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = await world.sign_in(await world.user("arthur"))
    limit_to_one(monkeypatch, Attempt.EXPORT)
    world.change_settings(throttle_scale=1)

    answers = [await world.client.get("/users/me/export", headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]


async def test_writes_of_one_user_do_not_limit_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    users = [await world.sign_in(await world.user(name)) for name in ("arthur", "mordred")]
    limit_to_one(monkeypatch, Attempt.WRITE)
    world.change_settings(throttle_scale=1)

    answers = [await world.client.patch("/users/me", headers=headers, json={}) for headers in (*users, *users)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert (await world.client.get("/users/me", headers=users[0])).status_code == 200


def test_walk_finds_the_operations_with_passwords() -> None:
    assert {("patch", "/users/me"), ("post", "/users"), ("patch", "/users/{user_id}")} <= {
        each[:2] for each in PASSWORDS
    }


@pytest.mark.parametrize("operation", PASSWORDS, ids=name_of)
async def test_every_request_that_hashes_a_password_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch, operation: Operation
) -> None:
    """By the route's own rule, or else by the one for hashes, which the queue itself demands."""
    arthur = await world.user("arthur", superuser=True)
    headers = await world.sign_in(arthur)
    counted, hashed = [], []

    async def noting(*_: Any, **__: Any) -> Any:
        counted.append(_[1])
        return await check(*_, **__)

    async def run(queue: HashingQueue, work: Any, callers: tuple[str, ...]) -> Any:
        hashed.append(set(counted) - {Attempt.WRITE})
        return await original(queue, work, callers)

    check, original = counting.check_rate_limit, HashingQueue.run
    monkeypatch.setattr("accounts.api.dependencies.check_rate_limit", noting)
    monkeypatch.setattr(HashingQueue, "run", run)
    body: dict[str, Any] = {"email": "new@example.com", "username": arthur.email, "password": NEW, "token": "unknown"}
    body |= {"name": "nightly report", "scopes": ["groups:read"], "expires_in_days": 1}
    fields = {name: value for name, value in body.items() if name in operation.fields()}
    if "password" not in fields:
        fields["current_password"] = PASSWORD
    url = operation.path.format_map(PATH_VALUES | {"user_id": str(arthur.id)})

    await call(world, operation._replace(path=url), headers, fields)

    assert all(hashed)
    assert hashed or "token" in fields, "no hash was computed"


async def test_hashes_of_a_signed_in_user_are_limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = await world.sign_in(await world.user("arthur"))
    limit_to_one(monkeypatch, Attempt.PASSWORD)
    world.change_settings(throttle_scale=1)

    answers = [
        await world.client.patch("/users/me", headers=headers, json={"password": f"{NEW}-{n}"}) for n in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 429]


@pytest.mark.parametrize("flood", [("flood", ""), ("another client {}", "one user")])
async def test_callers_take_turns_in_the_hashing_queue(flood: tuple[str, str]) -> None:
    client, user = flood
    queue, go_on = HashingQueue(1), threading.Event()
    done: list[str] = []
    first = asyncio.create_task(queue.run(go_on.wait, (client.format(0), user)))
    await asyncio.sleep(0)
    waiting = [
        asyncio.create_task(queue.run(partial(done.append, f"flood {n}"), (client.format(n), user))) for n in range(4)
    ]
    waiting += [asyncio.create_task(queue.run(partial(done.append, "other"), ("other", "")))]
    await asyncio.sleep(0)
    waiting[2].cancel()
    go_on.set()

    await asyncio.wait([first, *waiting])

    assert done == ["flood 0", "other", "flood 1", "flood 3"]
    queue.close()


async def test_turn_that_comes_as_its_request_is_cancelled_is_passed_on() -> None:
    queue = HashingQueue(1)
    first = asyncio.create_task(queue.run(lambda: None, ("first", "")))
    await asyncio.sleep(0)
    cancelled = asyncio.create_task(queue.run(lambda: None, ("cancelled", "")))
    while not first.done():  # noqa: ASYNC110  # the very next step of the loop
        await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait([cancelled])

    assert cancelled.cancelled()
    assert await queue.run(lambda: "next", ("next", "")) == "next"
    queue.close()


@pytest.mark.parametrize("callers", [("client",), ("client", "user"), ("", "user")])
async def test_a_caller_has_only_a_share_of_the_hashing_queue(callers: tuple[str, ...]) -> None:
    queue, finish = HashingQueue(1), threading.Event()
    waiting = [asyncio.create_task(queue.run(finish.wait, callers)) for _ in range(queue.share)]
    await asyncio.sleep(0)

    with pytest.raises(Busy):
        await queue.run(finish.wait, callers)
    other = asyncio.create_task(queue.run(finish.wait, ("another client",)))
    await asyncio.sleep(0)
    finish.set()

    assert await other
    assert all(await asyncio.gather(*waiting))
    assert await queue.run(finish.wait, callers)
    queue.close()


async def test_many_password_changes_of_one_user_do_not_keep_others_from_signing_in(
    busy_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    arthur, mordred = await busy_world.user("arthur"), await busy_world.user("mordred")
    headers = await busy_world.sign_in(mordred)
    form = {"username": arthur.email, "password": PASSWORD}
    finish, hash_now = threading.Event(), password_hashing.PASSWORD_HASH.hash

    def hash_later(password: str) -> str:
        finish.wait()
        return hash_now(password)

    monkeypatch.setattr(password_hashing.PASSWORD_HASH, "hash", hash_later)
    flood = [
        asyncio.create_task(busy_world.client.patch("/users/me", headers=headers, json={"password": f"{NEW}-{n}"}))
        for n in range(2 * busy_world.passwords.queue.share)
    ]
    refused, waiting = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
    sign_in = asyncio.create_task(busy_world.client_at("198.51.100.7").post("/auth/jwt/login", data=form))
    finish.set()

    assert {each.result().status_code for each in refused} == {503}
    assert (await sign_in).status_code == 200
    await asyncio.wait(waiting)
