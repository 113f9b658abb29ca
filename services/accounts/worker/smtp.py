"""SMTP client (RFC 5321, RFC 6409): submits mail, over TLS unless configured otherwise, in bounded time."""

import asyncio
import ssl
from dataclasses import KW_ONLY, dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from ipaddress import ip_address

from aiosmtplib import (
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from accounts.settings import SmtpSecurity
from accounts.worker.delivery_errors import (
    DeliveryError,
    PermanentFailure,
    ServerUnavailable,
    TemporaryFailure,
    redact_reply,
)
from accounts.worker.smtp_connections import ABOUT_LETTER, Connection, IdleConnections

TIMEOUT_SECONDS = 30
PERMANENT = 500  # from this reply code on (RFC 5321, 4.2.1)


@dataclass(frozen=True)
class Smtp:
    """A mail server, and the connections to it that wait for the next mail.

    ``seconds`` bounds everything from connecting to the server's last reply. ``context`` is for certificates that the
    system does not trust. ``starttls`` and ``tls`` never fall back to plain text.

    Raises:
        ValueError: the user name and the password would be sent unencrypted to another machine.

    """

    host: str
    port: int
    _: KW_ONLY
    security: SmtpSecurity = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    seconds: float = TIMEOUT_SECONDS
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context, compare=False)
    _idle: IdleConnections = field(default_factory=IdleConnections, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.username and self.security == "none" and not _is_loopback(self.host):
            raise ValueError("SMTP_USERNAME and SMTP_PASSWORD would be sent unencrypted: SMTP_SECURITY is none")

    async def send(self, message: EmailMessage) -> None:
        """Submit a mail, from its From to its To.

        If a connection that was used before turns out to be closed, the mail is sent by a new one, unless the server
        may have accepted it.

        Raises:
            ServerUnavailable: the server cannot be reached, is not trusted, or refuses this client.
            TemporaryFailure: the server timed out, dropped the connection, or refuses for now.
            PermanentFailure: the server refuses the recipient or the content, or does not support such an address.

        """
        try:
            async with asyncio.timeout(self.seconds):
                await self._send(message)
        except (SMTPException, OSError) as error:
            raise self._delivery_error(error, message["To"].addresses[0]) from None

    async def close(self) -> None:
        """End the connections that no mail uses."""
        await self._idle.close()

    async def _send(self, message: EmailMessage) -> None:
        if connection := self._idle.take():
            try:
                await self._submit(connection, message)
            except (SMTPException, OSError) as error:
                if not connection.may_repeat(error):
                    raise
            else:
                return
        await self._submit(await self._connect(message["From"].addresses[0]), message)

    async def _submit(self, connection: Connection, message: EmailMessage) -> None:
        try:
            await connection.submit(message)
        except ABOUT_LETTER:
            self._idle.put(connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._idle.put(connection)

    async def _connect(self, sender: Address) -> Connection:
        connection = self._connection(sender)
        try:
            await connection.connect()
        except SMTPResponseException as error:
            # For example a wrong password, which an operator can correct.
            raise ServerUnavailable(
                f"the server refused this client: {redact_reply(f'{error.code} {error.message}')}"
            ) from None
        except (SMTPException, OSError) as error:
            raise ServerUnavailable(redact_reply(f"no connection to the mail server: {error}")) from None
        return connection

    def _connection(self, sender: Address) -> Connection:
        return Connection(
            hostname=self.host,
            port=self.port,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            tls_context=self.context,
            username=self.username or None,
            password=self.password or None,
            # A container's own name is not a valid domain (RFC 5321, 4.1.1.1).
            local_hostname=sender.domain,
            timeout=None,
        )

    def _delivery_error(self, error: Exception, to: Address) -> DeliveryError:
        if isinstance(error, SMTPNotSupported):
            return PermanentFailure("the email address is not ASCII, and the server does not support SMTPUTF8")
        if isinstance(error, SMTPRecipientsRefused):
            return _refused("the recipient", error.recipients[0], to)
        if isinstance(error, SMTPDataError):
            return _refused("the mail", error, to)
        if isinstance(error, SMTPResponseException):
            # For example the sender, MAIL_FROM, which an operator can correct.
            return TemporaryFailure(f"the server refused this client: {_reply(error, to)}")
        if isinstance(error, TimeoutError):
            return TemporaryFailure(f"the server took longer than {self.seconds:g} s")
        return TemporaryFailure(redact_reply(f"the connection was dropped: {error}", to.username, to.domain))


def _refused(what: str, error: SMTPResponseException, to: Address) -> DeliveryError:
    kind = PermanentFailure if error.code >= PERMANENT else TemporaryFailure
    return kind(f"the server refused {what}: {_reply(error, to)}")


def _reply(error: SMTPResponseException, to: Address) -> str:
    return redact_reply(f"{error.code} {error.message}", to.username, to.domain)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
