"""SMTP, as a client that hands a letter over (RFC 5321, RFC 6409): safely, in bounded time, and once."""

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

SECONDS = 30
PERMANENT = 500  # RFC 5321, 4.2.1: replies from here on


@dataclass(frozen=True)
class Smtp:
    """A mail server; one connection a letter.

    ``seconds`` bounds the whole, from connecting to QUIT. ``context`` is for servers whose certificates the system's
    store does not vouch for. There is no way to clear text from ``starttls`` or ``tls``.

    Raises:
        ValueError: a user name or a password would be sent in the clear, and not to this machine.

    """

    host: str
    port: int
    _: KW_ONLY
    security: SmtpSecurity = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    seconds: float = SECONDS
    context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if self.username and self.security == "none" and not _is_loopback(self.host):
            raise ValueError("SMTP_USERNAME and SMTP_PASSWORD would be sent in the clear: SMTP_SECURITY is none")

    async def send(self, message: EmailMessage) -> None:
        """Hand a letter over, from its From to its To.

        Raises:
            Unreachable: the server is away, not to be trusted, or refuses us.
            Temporary: the server is slow, breaks off, or refuses for now.
            Permanent: the server refuses the addressee or the letter, or cannot send to such an address.

        """
        [to], [sender] = message["To"].addresses, message["From"].addresses
        deadline = asyncio.get_running_loop().time() + self.seconds
        client = self._client(sender)
        try:
            async with asyncio.timeout_at(deadline):
                await self._connect(client)
                await client.send_message(message, sender=sender.addr_spec, recipients=[to.addr_spec])
            # It is taken, and must not be sent again, however the rest goes.
            with suppress(SMTPException, OSError):
                async with asyncio.timeout_at(deadline):
                    await client.quit()
        except (SMTPException, OSError) as error:
            raise self._undelivered(error, to) from None
        finally:
            client.close()

    async def _connect(self, client: SMTP) -> None:
        try:
            await client.connect()
        except SMTPResponseException as error:
            # Such as a wrong password: somebody can mend that.
            raise ServerUnavailable(f"the server refused us: {redact_reply(f'{error.code} {error.message}')}") from None
        except (SMTPException, OSError) as error:
            raise ServerUnavailable(redact_reply(f"no mail server to talk to: {error}")) from None

    def _client(self, sender: Address) -> SMTP:
        return SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            tls_context=self.context,
            username=self.username or None,
            password=self.password or None,
            # A container's own name is none that a server can take for a domain (RFC 5321, 4.1.1.1).
            local_hostname=sender.domain,
            timeout=None,
        )

    def _undelivered(self, error: Exception, to: Address) -> DeliveryError:
        if isinstance(error, SMTPNotSupported):
            return PermanentFailure("the address is not all ASCII, and the server has no SMTPUTF8")
        if isinstance(error, SMTPRecipientsRefused):
            return _refused("the addressee", error.recipients[0], to)
        if isinstance(error, SMTPDataError):
            return _refused("the letter", error, to)
        if isinstance(error, SMTPResponseException):
            # About us rather than about the letter, such as MAIL_FROM: somebody can mend that.
            return TemporaryFailure(f"the server refused us: {_reply(error, to)}")
        if isinstance(error, TimeoutError):
            return TemporaryFailure(f"the server took longer than {self.seconds:g} s")
        return TemporaryFailure(redact_reply(f"the connection broke off: {error}", to.username, to.domain))


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
