"""One mail after the other: taken, written, handed to the server, and ended; whatever happens, none is lost."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from accounts.db.errors import DATABASE_ERRORS
from accounts.db.session import Session, Sessionmaker, transaction
from accounts.domain.mail import queue
from accounts.models import MailKind, OutboxMail
from accounts.observability import metrics
from accounts.settings import Settings
from accounts.worker.delivery_errors import PermanentFailure, ServerUnavailable, TemporaryFailure
from accounts.worker.message import compose_message
from accounts.worker.message_context import message_context
from accounts.worker.smtp import SECONDS
from accounts.worker.transports import Transport

log = logging.getLogger("accounts.worker")
AGAIN_SECONDS = 1.0
LEASE = timedelta(seconds=2 * SECONDS)  # of the time that sending may take, so that no other postman takes it meanwhile
Settle = Callable[[Session], Awaitable[None]]


class Delivery:
    """Delivers by a transport. Several may share an outbox, in one process or in many."""

    def __init__(self, sessionmaker: Sessionmaker, transport: Transport, settings: Settings) -> None:
        self.sessionmaker = sessionmaker
        self.transport = transport
        self.settings = settings

    async def deliver(self) -> bool:
        """Deliver what has been due the longest; say whether something was.

        Raises:
            Unreachable: the mail server is away, and the mail is in the outbox as before.

        """
        async with transaction(self.sessionmaker) as db:
            mail = await queue.lease_next(db, LEASE)
        if mail is None:
            return False
        try:
            await self._send(mail)
        except ServerUnavailable as error:
            await self._settle(partial(queue.release, mail=mail, reason=error.reason))
            raise
        except TemporaryFailure as error:
            log.warning("mail %s (%s) has to wait: %s", mail.id, mail.kind, error.reason)
            await self._settle(partial(queue.retry_later, mail=mail, reason=error.reason))
        except PermanentFailure as error:
            log.error("mail %s (%s) is given up: %s", mail.id, mail.kind, error.reason)  # noqa: TRY400  # no bug
            await self._settle(partial(queue.park, mail=mail, reason=error.reason))
        else:
            await self._settle(partial(queue.delete_mail, mail=mail))
        return True

    async def _send(self, mail: OutboxMail) -> None:
        async with transaction(self.sessionmaker) as db:
            told = await message_context(db, mail, self.settings)
        if told is None:
            log.info("mail %s (%s) has become pointless", mail.id, mail.kind)
            metrics.mail(mail.kind, "pointless")
            return
        await self.transport.send(self._written(mail, told))
        log.info("mail %s (%s) is sent", mail.id, mail.kind)
        metrics.mail(mail.kind, "sent")

    def _written(self, mail: OutboxMail, told: dict[str, Any]) -> Any:
        try:
            return compose_message(
                MailKind(mail.kind),
                mail.email,
                told,
                language=mail.language,
                sender=self.settings.mail_from,
                message_id=mail.id,
                domain=self.settings.mail_domain,
                service=self.settings.service,
            )
        except Exception as error:  # one that cannot be written must not be in the way of the others
            log.exception("mail %s (%s) cannot be written", mail.id, mail.kind)
            raise PermanentFailure(f"cannot be written: {type(error).__name__}") from error

    async def _settle(self, settle: Settle) -> None:
        """Store what has become of a mail, however long it takes until the database is there."""
        while True:
            try:
                async with transaction(self.sessionmaker) as db:
                    await settle(db)
            except DATABASE_ERRORS as error:
                log.warning("what has become of a mail is not stored yet: %s", type(error).__name__)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return
