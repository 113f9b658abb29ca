"""Counters of the metrics, after the events that they count."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from accounts.db import engine as engine_module
from accounts.db.engine import create_engine, with_connection_metrics
from accounts.domain.errors import Busy
from accounts.domain.identity.hashing_queue import WAITING_PER_THREAD
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.settings import Settings
from accounts.worker.delivery import Delivery
from accounts.worker.smtp import Smtp
from accounts.worker.stopping import Stop
from support.people import PASSWORD, World
from support.smtp import Mailbox, serving

REQUESTS = "accounts_http_request_duration_seconds_count"


class Counts:
    """The increase since its creation."""

    def __init__(self) -> None:
        self.before = self.all()

    def all(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        samples = (sample for family in REGISTRY.collect() for sample in family.samples)
        return {(each.name, frozenset(each.labels.items())): each.value for each in samples}

    def added(self, name: str, **labels: Any) -> float:
        key = (name, frozenset(labels.items()))
        return self.all().get(key, 0) - self.before.get(key, 0)

    def series(self, name: str) -> set[frozenset[tuple[str, str]]]:
        return {labels for found, labels in self.all() if found == name}


@pytest.fixture
def counts() -> Counts:
    return Counts()


async def test_sign_ins_are_counted_by_outcome(world: World, counts: Counts) -> None:
    await world.user("arthur")
    await world.user("mordred", is_active=False)

    await world.sign_in("arthur@camelot.example.com")
    await world.login("arthur@camelot.example.com", "wrong")
    await world.login("nobody@camelot.example.com")
    await world.login("mordred@camelot.example.com")

    outcomes = ("succeeded", "wrong_password", "unknown_address", "inactive")
    assert [counts.added("accounts_sign_ins_total", outcome=each) for each in outcomes] == [1] * 4
    assert counts.added("accounts_password_hash_duration_seconds_count") >= 4
    assert counts.added("accounts_password_hashes_pending") == 0


async def test_requests_refused_by_a_rate_limit_are_counted(world: World, counts: Counts) -> None:
    world.change_settings(throttle_scale=1)

    statuses = [(await world.login("nobody@camelot.example.com")).status_code for _ in range(7)]

    assert statuses == [400] * 5 + [429] * 2
    assert counts.added("accounts_throttle_refusals_total", rule="login") == 2
    assert counts.added("accounts_throttle_refusals_total", rule="register") == 0


async def test_reuse_of_a_refresh_token_is_counted(world: World, counts: Counts) -> None:
    arthur = await world.user("arthur")
    token = (await world.login(arthur)).json()["refresh_token"]

    for _ in range(2):
        await world.client.post("/auth/jwt/refresh", data={"grant_type": "refresh_token", "refresh_token": token})
        await world.sql("UPDATE user_session SET rotated_at = now() - interval '11 seconds'")

    assert counts.added("accounts_refresh_tokens_reused_total") == 1


async def test_waiting_and_refused_password_hashes_are_counted(counts: Counts) -> None:
    hashing, go_on = PasswordHasher(1), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()

    waiting = [asyncio.create_task(hashing.queue.run(work)) for _ in range(1 + WAITING_PER_THREAD)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await hashing.hash(PASSWORD)

    assert counts.added("accounts_password_hashes_pending") == 1 + WAITING_PER_THREAD
    assert counts.added("accounts_password_hashes_refused_total") == 1
    go_on.set()
    await asyncio.gather(*waiting)
    hashing.close()
    assert counts.added("accounts_password_hashes_pending") == 0


async def test_connections_in_use_and_pool_timeouts_are_counted(
    fresh_settings: Settings, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "POOL_SECONDS", 0.1)
    settings = fresh_settings.model_copy(update={"database_pool_size": 1})
    engine = with_connection_metrics(create_engine(settings, "test"))

    async with engine.connect():
        assert REGISTRY.get_sample_value("accounts_database_connections_in_use") == 1
        with pytest.raises(PoolTimeoutError):
            await engine.connect()

    assert REGISTRY.get_sample_value("accounts_database_connections_in_use") == 0
    assert REGISTRY.get_sample_value("accounts_database_connections_limit") == 1
    assert counts.added("accounts_database_pool_timeouts_total") == 1
    await engine.dispose()


async def test_number_of_series_does_not_depend_on_requested_paths(world: World, counts: Counts) -> None:
    before = len(counts.series(REQUESTS))

    for number in range(20):
        await world.client.request(f"METHOD{'x' * number}", "/health/live")
        await world.client.get(f"/{number}/arthur@camelot.example.com")
        await world.client.get(f"/user-groups/{1_000_000 + number}/users?q={number}")

    assert counts.added(REQUESTS, method="other", route="/health/live", status="405") == 20
    assert counts.added(REQUESTS, method="GET", route="-", status="404") == 20
    assert counts.added(REQUESTS, method="GET", route="/user-groups/{group_id}/users", status="404") == 20
    assert len(counts.series(REQUESTS)) <= before + 3


@pytest.fixture
async def mailbox() -> AsyncIterator[tuple[Mailbox, int]]:
    mailbox = Mailbox()
    async with serving(mailbox) as port:
        yield mailbox, port


async def test_mail_is_counted_by_outcome(world: World, counts: Counts, mailbox: tuple[Mailbox, int]) -> None:
    transport = Smtp("127.0.0.1", mailbox[1], security="none", seconds=5)
    delivery = Delivery(world.sessionmaker, world.connect, transport, world.state["settings"], Stop())
    await world.user("arthur")
    mailbox[0].replies = ["451 Later", "554 No"]

    for _ in range(3):
        await world.client.post("/auth/forgot-password", json={"email": "arthur@camelot.example.com"})
        await delivery.deliver_next()
    await world.client.post("/auth/forgot-password", json={"email": "arthur@camelot.example.com"})
    await world.sql("DELETE FROM one_time_token")
    await world.sql("""UPDATE "user" SET is_active = false""")
    await delivery.deliver_next()

    outcomes = ("sent", "postponed", "parked", "pointless")
    assert [counts.added("accounts_mails_total", kind="reset", outcome=each) for each in outcomes] == [1] * 4
