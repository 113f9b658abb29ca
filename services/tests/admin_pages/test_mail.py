"""The mail queue as a page: what waits and why, parked mail, and what explains that a mail does not come."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlmodel import col, select

from accounts.api.admin_pages.mail_words import KINDS, LIMITS, STATES, limit_name
from accounts.db.session import Session, transaction
from accounts.domain.mail import queue
from accounts.domain.mail.recipients import list_mails_to_address
from accounts.domain.parked_mail import MailState, ParkedMailManager
from accounts.domain.rate_limits import rules
from accounts.domain.rate_limits.counting import count_received_mail
from accounts.models import AuditEvent, MailKind, OutboxMail, User
from accounts.schemas.pagination import PageQuery
from support.account_pages import what_was_done
from support.administration import HOSTILE, Admin, enter_admin, hidden_from_others, rows
from support.html import Page
from support.people import World
from support.schema import plan_without_scans

KAY = "kay@x.org"
MINUTE = timedelta(minutes=1)
REASON = "550 mailbox unavailable"


class Queue:
    """The mail queue, and Morgana who looks at it."""

    def __init__(self, admin: Admin) -> None:
        self.admin, self.world = admin, admin.world

    async def add(self, email: str = KAY, kind: MailKind = MailKind.ACCOUNT_EXISTS, **values: Any) -> uuid.UUID:
        async with transaction(self.world.sessionmaker) as db:
            mail = OutboxMail(kind=kind, email=email, **values)
            db.add(mail)
        return mail.id

    async def park(self, email: str = KAY, reason: str = REASON, **values: Any) -> uuid.UUID:
        mail_id = await self.add(email, attempts=3, **values)
        async with transaction(self.world.sessionmaker) as db:
            await queue.park(db, await db.get_one(OutboxMail, mail_id), reason)
        return mail_id

    async def mail(self, mail_id: uuid.UUID) -> OutboxMail | None:
        async with transaction(self.world.sessionmaker) as db:
            return await db.get(OutboxMail, mail_id)

    async def counts(self) -> list[str]:
        page = await self.admin.page("/mail")
        return [each.text for each in page.find("strong")]

    async def explain(self, email: str = KAY) -> str:
        page = await self.admin.page("/mail", q=email)
        return next(each.text for each in page.find("ul") if not each.attributes)

    async def recorded(self) -> list[tuple[str, Any, Any, dict[str, Any]]]:
        async with transaction(self.world.sessionmaker) as db:
            events = await db.exec(select(AuditEvent).where(col(AuditEvent.action).like("mail.%")))
            return [(event.action, event.actor_id, event.user_id, event.detail) for event in events]


@pytest.fixture
async def mails(world: World) -> Queue:
    return Queue(await enter_admin(world))


def test_everything_has_words() -> None:
    assert KINDS.keys() == set(MailKind)
    assert STATES.keys() == set(MailState)
    limited = {name for name, rule in rules.RULES.items() if rule.email and rule.email_group == "mail"}
    assert LIMITS.keys() == limited | {"others"}
    assert (limit_name("others"), limit_name(MailKind.RESET)) == (LIMITS["others"], KINDS[MailKind.RESET])


class TestQueue:
    async def test_mail_is_counted_by_its_state(self, mails: Queue) -> None:
        await mails.add()
        now = datetime.now(UTC)
        await mails.add(next_at=now + MINUTE, attempts=1)
        await mails.add(next_at=now + MINUTE, attempts=1, error="451 later")
        await mails.add(next_at=now + MINUTE)
        await mails.park()

        assert await mails.counts() == ["1", "1", "2", "1"]

    async def test_number_beyond_what_is_counted_says_so(self, mails: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("domain.parked_mail", "api.admin_pages.mail"):
            monkeypatch.setattr(f"accounts.{module}.COUNTED", 1)
        for _ in range(3):
            await mails.add()

        assert (await mails.counts())[0] == "more than 1"

    async def test_parked_mail_is_listed_with_its_reason_the_newest_first(self, mails: Queue) -> None:
        await mails.park("bors@x.org", kind=MailKind.INVITATION)
        newest = await mails.park()
        await mails.add("lancelot@x.org")

        page = await mails.admin.page("/mail")

        first, second = rows(page)
        assert first.startswith(f"{KAY} The address has an account already {REASON} 3 ")
        assert second.startswith("bors@x.org Invitation")
        assert page.one("a", href=f"/admin/mail/{newest}")

    async def test_parked_mail_goes_on_on_further_pages(self, mails: Queue) -> None:
        for name in "abc":
            await mails.park(f"{name}@x.org")

        first = await mails.admin.page("/mail", limit=2)
        [more] = [each.attributes["href"] for each in first.find("a") if each.text == "More parked mail"]

        assert [row[0] for row in rows(await mails.admin.page(more.removeprefix("/admin")))] == ["a"]

    async def test_empty_queue_says_so(self, mails: Queue) -> None:
        page = await mails.admin.page("/mail")

        assert page.one("div", class_="empty").text.strip() == "No mail is parked."
        assert not page.find("button", class_="quiet small")

    async def test_number_of_statements_does_not_depend_on_the_mail(self, mails: Queue) -> None:
        await mails.park()
        few = await mails.admin.statements("/mail", q=KAY)
        for _ in range(5):
            await mails.park()

        assert await mails.admin.statements("/mail", q=KAY) == few


class TestAddress:
    async def test_waiting_mail_to_an_address_is_explained(self, mails: Queue) -> None:
        await mails.add(KAY.upper())
        await mails.park()
        await mails.add(next_at=datetime.now(UTC) + MINUTE, error="451 later", attempts=2)

        found = rows(await mails.admin.page("/mail", q=KAY))[:3]

        assert "Will be tried again" in found[0]
        assert found[0].endswith("451 later")
        assert "Parked: it is not tried again" in found[1]
        assert "Waits for the worker" in found[2]

    async def test_mail_of_a_limited_recipient_is_postponed(self, mails: Queue) -> None:
        await mails.add(next_at=datetime.now(UTC) + MINUTE)
        mails.world.change_settings(throttle_scale=1)
        for _ in range(5):
            await count_received_mail(mails.world.connect, KAY, MailKind.INVITATION)

        assert "Limited: Invitations and changed roles. The next one is possible in" in await mails.explain()
        assert "Postponed: the address has received many mails" in rows(await mails.admin.page("/mail", q=KAY))[0]

    async def test_limited_requests_are_named(self, mails: Queue) -> None:
        mails.world.change_settings(throttle_scale=1)
        for _ in range(5):
            await mails.world.client.post("/auth/forgot-password", json={"email": KAY})

        assert "Limited: Requests to reset the password." in await mails.explain()

    async def test_account_is_described(self, mails: Queue) -> None:
        kay = await mails.world.user("kay")
        found = {}
        for column in ("false", "true"):
            found[column] = await mails.explain(kay.email)
            await mails.world.sql("UPDATE \"user\" SET is_verified = true WHERE email LIKE 'kay%'")
        await mails.world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'kay%'")

        assert "its address isn't confirmed" in found["false"]
        assert "its address is confirmed" in found["true"]
        assert "the account is deactivated" in await mails.explain(kay.email)

    async def test_unknown_address_gets_invitations_only(self, mails: Queue) -> None:
        explanation = await mails.explain()

        assert f"No account has the address {KAY}." in explanation
        assert "No limit holds up mail to this address." in explanation
        assert "No mail to this address is in the queue." in explanation

    async def test_pasted_address_is_searched_without_what_surrounds_it(self, mails: Queue) -> None:
        await mails.add()

        assert len(rows(await mails.admin.page("/mail", q=f"\u200b {KAY}\u00a0"))) == 1


class TestRetryAndDiscard:
    async def test_parked_mail_is_sent_again(self, mails: Queue) -> None:
        parked, other = await mails.park(), await mails.park()
        answer = await mails.admin.post("/mail/retry", mail=parked)
        page = await mails.admin.follow(answer)

        assert page.one("p", role="status").text.startswith("The worker sends it again")
        mail, left = await mails.mail(parked), await mails.mail(other)
        assert mail
        assert (mail.parked_at, mail.attempts, mail.error) == (None, 0, REASON)
        assert left
        assert left.parked_at
        detail = {"count": 1, "kind": "account_exists"}
        assert await mails.recorded() == [("mail.retried", mails.admin.user.id, None, detail)]

    @pytest.mark.parametrize(("minutes", "is_sent"), [(4, False), (6, True)])
    async def test_mail_that_waits_for_its_next_attempt_is_sent_now(
        self,
        mails: Queue,
        minutes: int,
        is_sent: bool,  # noqa: FBT001  # a parameter
    ) -> None:
        """A worker may be sending the mail whose next attempt is near."""
        next_at = datetime.now(UTC) + timedelta(minutes=minutes)
        waiting = await mails.add(attempts=5, error=REASON, next_at=next_at)
        page = await mails.admin.page("/mail", q=KAY)
        answer = await mails.admin.post("/mail/retry", mail=waiting, q=KAY)

        assert bool(page.find("button", name="mail")) is is_sent
        assert what_was_done(answer) == ("mail-retried" if is_sent else "mail-not-parked")
        assert answer.headers["location"] == f"/admin/mail?q={quote(KAY)}"
        mail = await mails.mail(waiting)
        assert mail
        assert (mail.attempts == 0) is (mail.next_at < next_at) is is_sent

    async def test_worker_takes_the_mail_at_once(self, mails: Queue) -> None:
        parked = await mails.park()
        await mails.admin.post("/mail/retry", mail=parked)

        async with transaction(mails.world.sessionmaker) as db:
            [mail] = await queue.lease_next(db, queue.FIRST_DELAY, 8)

        assert (mail.id, mail.attempts) == (parked, 1)

    async def test_all_parked_mail_is_sent_again(self, mails: Queue) -> None:
        for _ in range(3):
            await mails.park()

        answer = await mails.admin.post("/mail/retry")

        assert (answer.headers["location"], what_was_done(answer)) == ("/admin/mail", "mail-retried")
        assert (await mails.counts())[3] == "0"
        assert [(event[0], event[3]) for event in await mails.recorded()] == [("mail.retried", {"count": 3})]

    async def test_mail_is_discarded(self, mails: Queue) -> None:
        kay: User = await mails.world.user("kay")
        parked = await mails.park(user_id=kay.id)
        page = await mails.admin.page(f"/mail/{parked}")
        answer = await mails.admin.post(f"/mail/{parked}/discard")

        assert page.one("button", class_="danger").text == "Discard mail"
        assert page.one("a", href=f"/admin/users/{kay.id}")
        assert (answer.headers["location"], what_was_done(answer)) == ("/admin/mail", "mail-discarded")
        assert await mails.mail(parked) is None
        recorded = ("mail.discarded", mails.admin.user.id, kay.id, {"kind": "account_exists"})
        assert await mails.recorded() == [recorded]

    async def test_mail_that_is_not_parked_is_neither_sent_again_nor_discarded(self, mails: Queue) -> None:
        waiting = await mails.add(sender_id=mails.admin.user.id)
        page = await mails.admin.page(f"/mail/{waiting}")
        answers = [
            await mails.admin.post("/mail/retry", mail=waiting),
            await mails.admin.post(f"/mail/{waiting}/discard"),
            await mails.admin.post("/mail/retry"),
        ]

        assert page.find("button") == []
        assert page.one("a", href=f"/admin/users/{mails.admin.user.id}").text == "Account that caused it"
        assert {what_was_done(answer) for answer in answers} == {"mail-not-parked"}
        assert await mails.mail(waiting)
        assert await mails.recorded() == []

    async def test_mail_that_was_sent_has_no_page(self, mails: Queue) -> None:
        assert (await mails.admin.get(f"/mail/{uuid.uuid4()}")).status_code == 404


async def test_hostile_texts_are_inert_and_no_token_is_shown(mails: Queue) -> None:
    parked = await mails.park(f"{HOSTILE}@x.org", HOSTILE, detail={"device": HOSTILE})
    for path in ("/mail", f"/mail/{parked}"):
        page = await mails.admin.page(path)
        assert not page.find("script")
        assert "alert(1)" in page.html

    await mails.world.client.post("/auth/forgot-password", json={"email": mails.admin.user.email})
    token = await mails.world.token()
    assert token not in (await mails.admin.page("/mail", q=mails.admin.user.email)).html
    assert Page((await mails.admin.get("/mail", q=f"{HOSTILE[:-1]}@x.org")).text).find("script") == []


@pytest.mark.parametrize("page", ["GET /mail", "POST /mail/retry", "GET /mail/{id}", "POST /mail/{id}/discard"])
async def test_pages_do_not_exist_for_others(world: World, page: str) -> None:
    await hidden_from_others(world, *page.format(id=uuid.uuid4()).split())


@pytest.mark.parametrize(
    ("index", "run"),
    [
        ("ix_outbox_email_lower_id", lambda db: list_mails_to_address(db, KAY)),
        ("ix_outbox_parked", lambda db: ParkedMailManager(db).list_parked(PageQuery())),
    ],
)
async def test_searches_read_an_index_in_its_order(
    world: World, index: str, run: Callable[[Session], Awaitable[object]]
) -> None:
    plan = await plan_without_scans(world.sessionmaker, run)

    assert index in plan
    assert "Sort" not in plan
