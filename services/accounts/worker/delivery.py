"""Delivers queued mail: lease some, then compose, send, and delete, retry or park each. No failure loses a mail."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from email.message import EmailMessage
from functools import partial
from time import monotonic
from typing import Any

import asyncpg

from accounts.branding import Branding
from accounts.db.engine import ConnectDriver
from accounts.db.errors import DATABASE_ERRORS
from accounts.db.session import Sessionmaker, transaction
from accounts.domain.errors import TooManyAttempts
from accounts.domain.mail import queue
from accounts.domain.mail.queue import LeasedMail
from accounts.domain.rate_limits.counting import count_received_mail
from accounts.observability import metrics
from accounts.settings import Settings
from accounts.worker.delivery_errors import PermanentFailure, ServerUnavailable, TemporaryFailure
from accounts.worker.message import compose_message
from accounts.worker.message_context import message_context
from accounts.worker.obsolete_mail import lacks_key
from accounts.worker.smtp import TIMEOUT_SECONDS
from accounts.worker.stopping import Stop
from accounts.worker.transports import Transport

log = logging.getLogger("accounts.worker")
STORE_RETRY_SECONDS = 1.0  # for the database; domain/mail/queue.py has the delays of mail
type Outcome = Callable[[asyncpg.Connection], Awaitable[None]]
MOST = 8  # whose leases end a minute after a kill; an urgent mail waits for those that one delivery has left
TURN_SECONDS = 1.0
LEASE = timedelta(seconds=2 * TIMEOUT_SECONDS)  # longer than sending can take, so that no other worker sends it too


class Delivery:
    """Delivers mail by a transport. Several deliveries may share a queue, in one process or in many."""

    def __init__(
        self,
        sessionmaker: Sessionmaker,
        connect: ConnectDriver,
        transport: Transport,
        settings: Settings,
        stop: Stop,
    ) -> None:
        self.sessionmaker = sessionmaker
        self.connect = connect
        self.transport = transport
        self.settings = settings
        self._stop = stop
        self._most = 1  # to lease at once

    async def deliver_next(self) -> bool:
        """Deliver mails that are due and whose turn it is, one after the other. Return whether there were any.

        While the mail server is fast, they are up to ``MOST``: one at first, and twice as many each time. What is not
        begun within ``TURN_SECONDS``, or before a stop, is put back, so that no urgent mail waits for it for long.

        Raises:
            ServerUnavailable: there is no mail server. The mails are back in the queue.

        """
        async with self._stop.limit(), self.connect() as connection:
            mails = await queue.lease_next(connection, LEASE, self._most)
        waiting, ends_at = deque(mails), monotonic() + TURN_SECONDS
        try:
            while waiting and not self._stop.is_requested() and monotonic() < ends_at:
                await self._deliver(waiting.popleft())
        except Exception:
            await self._put_back(waiting)
            raise
        await self._put_back(waiting)
        return bool(mails)

    async def _put_back(self, waiting: Sequence[LeasedMail]) -> None:
        self._most = 1 if waiting else min(2 * self._most, MOST)
        if waiting:
            await self._store(partial(queue.put_back, mails=waiting), *waiting)

    async def _deliver(self, mail: LeasedMail) -> None:
        try:
            await self._send(mail)
        except ServerUnavailable as error:
            await self._store(partial(queue.release, mail=mail, reason=error.reason), mail)
            raise
        except TooManyAttempts as error:
            log.info("mail %s (%s) is postponed: its recipient has received many", mail.id, mail.kind)
            metrics.mail(mail.kind, "postponed")
            await self._store(partial(queue.postpone, mail=mail, delay=timedelta(seconds=error.seconds)), mail)
        except TemporaryFailure as error:
            log.warning("mail %s (%s) will be retried: %s", mail.id, mail.kind, error.reason)
            await self._store(partial(queue.retry_later, mail=mail, reason=error.reason), mail)
        except PermanentFailure as error:
            log.error("mail %s (%s) parked: %s", mail.id, mail.kind, error.reason)  # noqa: TRY400  # not a bug
            await self._store(partial(queue.park, mail=mail, reason=error.reason), mail)
        else:
            await self._store(partial(queue.delete_mail, mail=mail), mail)

    async def _send(self, mail: LeasedMail) -> None:
        # Obsolete mail is not counted, and mail that waits for its recipient's limit does not start its token's
        # lifetime. Mail that was tried before is counted already.
        if not mail.error and await self._values(mail, start=False) is not None:
            await count_received_mail(self.connect, mail.email, mail.kind, scale=self.settings.limit_scale)
        values = await self._values(mail, start=True)
        if values is None:
            await self._report_obsolete(mail)
            return
        await self.transport.send(self._compose(mail, values))
        log.info("mail %s (%s) sent", mail.id, mail.kind)
        metrics.mail(mail.kind, "sent")

    async def _report_obsolete(self, mail: LeasedMail) -> None:
        metrics.mail(mail.kind, "pointless")
        async with self._stop.limit(), transaction(self.sessionmaker) as db:
            if await lacks_key(db, mail):
                log.warning("mail %s (%s) is dropped: its token belongs to no key in SECRET_KEY", mail.id, mail.kind)
            else:
                log.info("mail %s (%s) is obsolete", mail.id, mail.kind)

    async def _values(self, mail: LeasedMail, *, start: bool) -> dict[str, Any] | None:
        async with self._stop.limit(), self.connect() as connection:
            return await message_context(connection, mail, self.settings, start=start)

    def _compose(self, mail: LeasedMail, values: dict[str, Any]) -> EmailMessage:
        try:
            return compose_message(
                mail.kind,
                mail.email,
                values,
                language=mail.language,
                sender=self.settings.mail_from,
                message_id=mail.id,
                domain=self.settings.mail_domain,
                service=self.settings.service,
                branding=Branding.of(self.settings),
            )
        except Exception as error:  # one broken mail must not block the queue
            log.exception("mail %s (%s) cannot be composed", mail.id, mail.kind)
            raise PermanentFailure(f"cannot be composed: {type(error).__name__}") from error

    async def _store(self, outcome: Outcome, *mails: LeasedMail) -> None:
        """Store the outcome of an attempt, or the mail would be sent twice. A stop limits the wait for the database."""
        try:
            async with self._stop.limit():
                await self._retry(outcome)
        except TimeoutError:
            for mail in mails:
                log.warning("mail %s (%s): the database is away; it is due again after its lease", mail.id, mail.kind)

    async def _retry(self, outcome: Outcome) -> None:
        """Store an outcome. Retry while the database is unavailable."""
        while True:
            try:
                async with self.connect() as connection:
                    await outcome(connection)
            except DATABASE_ERRORS as error:
                if not self._stop.is_requested():
                    log.warning("the outcome of a mail will be stored later: %s", type(error).__name__)
                await asyncio.sleep(STORE_RETRY_SECONDS)
            else:
                return
