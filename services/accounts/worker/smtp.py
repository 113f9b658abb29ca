"""SMTP client (RFC 5321, RFC 6409): submits one mail, over TLS unless configured otherwise, in bounded time."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from ipaddress import ip_address

from aiosmtplib import (
    SMTP,
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

TIMEOUT_SECONDS = 30
PERMANENT = 500  # from this reply code on (RFC 5321, 4.2.1)


@dataclass(frozen=True)
class Smtp:
    """A mail server, with one connection for each mail.

    ``seconds`` bounds everything from connecting to QUIT. ``context`` is for certificates that the system does not
    trust. ``starttls`` and ``tls`` never fall back to plain text.

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
    context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if self.username and self.security == "none" and not _is_loopback(self.host):
            raise ValueError("SMTP_USERNAME and SMTP_PASSWORD would be sent unencrypted: SMTP_SECURITY is none")

    async def send(self, message: EmailMessage) -> None:
        """Submit a mail, from its From to its To.

        Raises:
            ServerUnavailable: the server cannot be reached, is not trusted, or refuses this client.
            TemporaryFailure: the server timed out, dropped the connection, or refuses for now.
            PermanentFailure: the server refuses the recipient or the content, or does not support such an address.

        """
        [to], [sender] = message["To"].addresses, message["From"].addresses
        deadline = asyncio.get_running_loop().time() + self.seconds
        client = self._client(sender)
        try:
            async with asyncio.timeout_at(deadline):
                await self._connect(client)
                await client.send_message(message, sender=sender.addr_spec, recipients=[to.addr_spec])
            # The server has accepted the mail: a failing QUIT must not cause a retry.
            with suppress(SMTPException, OSError):
                async with asyncio.timeout_at(deadline):
                    await client.quit()
        except (SMTPException, OSError) as error:
            raise self._delivery_error(error, to) from None
        finally:
            client.close()

    async def _connect(self, client: SMTP) -> None:
        try:
            await client.connect()
        except SMTPResponseException as error:
            # For example a wrong password, which an operator can correct.
            raise ServerUnavailable(
                f"the server refused this client: {redact_reply(f'{error.code} {error.message}')}"
            ) from None
        except (SMTPException, OSError) as error:
            raise ServerUnavailable(redact_reply(f"no connection to the mail server: {error}")) from None

    def _client(self, sender: Address) -> SMTP:
        return SMTP(
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
