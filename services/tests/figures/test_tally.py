"""What processes count for Prometheus, added to the figures: refused attempts and mail."""

from collections.abc import AsyncIterator, Mapping

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from accounts.db.engine import create_engine
from accounts.db.session import Session, Sessionmaker, create_sessionmaker, transaction
from accounts.domain.figures import tally as tally_module
from accounts.domain.figures.tally import Tally, mails, refusals, storing
from accounts.models import Figure
from accounts.observability import metrics
from accounts.settings import Settings
from support.figures import hour_of, stored, totals
from support.people import World
from support.waiting import eventually


class Counted:
    """A process that counts."""

    def __init__(self, **totals: int) -> None:
        self.totals = totals

    def __call__(self) -> Mapping[str, int]:
        return dict(self.totals)


async def test_adds_what_was_counted_since_the_last_time(world: World) -> None:
    counted = Counted(refused=5)
    tally = Tally(counted)
    counted.totals = {"refused": 7, "sent": 1}
    await tally.store(world.sessionmaker)
    counted.totals = {"refused": 8, "sent": 1}

    await tally.store(world.sessionmaker)

    assert await stored(world) == {(await hour_of(world), "refused"): 3, (await hour_of(world), "sent"): 1}


async def test_processes_add_to_the_same_figure(world: World) -> None:
    counted = Counted(refused=0)
    first, second = Tally(counted), Tally(counted)
    counted.totals = {"refused": 2}

    await first.store(world.sessionmaker)
    await second.store(world.sessionmaker)

    assert await totals(world) == {"refused": 4}


async def test_what_could_not_be_stored_is_stored_the_next_time(world: World) -> None:
    counted = Counted(refused=0)
    tally = Tally(counted)
    counted.totals = {"refused": 2}

    def away() -> None:
        raise OperationalError("INSERT", {}, OSError())

    with pytest.raises(OperationalError):
        await tally.store(away)  # type: ignore[arg-type]  # a database that is away
    await tally.store(world.sessionmaker)

    assert await totals(world) == {"refused": 2}


async def test_nothing_is_written_when_nothing_was_counted() -> None:
    await Tally(Counted(refused=1)).store(None)  # type: ignore[arg-type]  # it would fail


@pytest.fixture
async def committing(fresh_settings: Settings) -> AsyncIterator[Sessionmaker]:
    """A database of this test's own, on connections of its own."""
    engine = create_engine(fresh_settings, "test")
    yield create_sessionmaker(engine)
    await engine.dispose()


async def added(sessionmaker: Sessionmaker) -> int:
    async with transaction(sessionmaker) as db:
        return sum(await db.exec(select(Figure.value)))


async def test_is_stored_again_and_again_and_at_the_end(
    committing: Sessionmaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally_module, "SECONDS", 0.01)
    counted = Counted(refused=0)

    async def is_stored() -> bool:
        return await added(committing) == counted.totals["refused"]

    async with storing(Tally(counted), committing):
        for total in (2, 3):
            counted.totals = {"refused": total}
            await eventually("the tally is stored", is_stored)
        counted.totals = {"refused": 7}

    assert await added(committing) == 7


async def test_outage_is_logged_and_retried(
    committing: Sessionmaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tally_module, "SECONDS", 0.01)
    counted, outages = Counted(refused=0), [OSError(), OSError()]

    def reconnecting() -> Session:
        if outages:
            raise outages.pop()
        return committing()

    async def is_stored() -> bool:
        return await added(committing) == 2

    async with storing(Tally(counted), reconnecting):  # type: ignore[arg-type]
        counted.totals = {"refused": 2}
        await eventually("the tally is stored", is_stored)

    assert caplog.text.count("figures will be stored later: OSError") == 2


async def test_refused_attempts_are_counted_by_group(world: World) -> None:
    tally = Tally(refusals)
    world.change_settings(throttle_scale=1)
    answers = [await world.login("arthur@camelot.example.com", "wrong") for _ in range(7)]
    assert [answer.status_code for answer in answers].count(429) == 2

    await tally.store(world.sessionmaker)

    assert await totals(world) == {"limited.sign_in": 2}


async def test_mail_is_counted_by_outcome(world: World) -> None:
    tally = Tally(mails)
    for outcome in ("sent", "sent", "parked", "postponed", "pointless"):
        metrics.mail("verify", outcome)
    metrics.mail("reset", "sent")

    await tally.store(world.sessionmaker)

    assert await totals(world) == {"mail.sent": 3, "mail.failed": 1}
