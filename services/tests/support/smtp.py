"""Mail servers that listen on this machine, with certificates of an authority of their own."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

USERNAME, PASSWORD = "worker", "swordfish"


@dataclass
class Mailroom:
    """What the server does with each command, and what it was sent. Answers that are None are the usual ones."""

    recipient: str | None = None
    data: str | None = None
    data_seconds: float = 0
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  # as aiosmtpd calls it
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient:
            return self.recipient
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # as above
        await asyncio.sleep(self.data_seconds)
        if self.data:
            return self.data
        self.envelopes.append(envelope)
        return "250 taken"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        known = (data.login, data.password) == (USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=known)


@asynccontextmanager
async def serving(mailroom: Mailroom, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    """A real server, and its port; ``tls`` encrypts from the start, aiosmtpd's ``tls_context`` offers STARTTLS."""
    options = {"hostname": "mail.test", "authenticator": mailroom.authenticate, **options}
    async with listening(lambda: SMTP(mailroom, **options), tls) as port:
        yield port


@asynccontextmanager
async def listening(
    protocol: Callable[[], asyncio.BaseProtocol], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        server.close_clients()


@asynccontextmanager
async def scripted(*replies: str | None) -> AsyncIterator[int]:
    """A server that answers each line with the next reply, whatever the line says; at None it drops the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            if reply is None:
                break
            writer.write(f"{reply}\r\n".encode())
            await reader.readline()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        server.close_clients()


@dataclass(frozen=True)
class Authority:
    """Somebody who vouches for servers of this machine, and for one elsewhere; ``client`` trusts nobody else."""

    client: ssl.SSLContext
    server: ssl.SSLContext
    elsewhere: ssl.SSLContext


@cache
def authority() -> Authority:
    key, name = generate_private_key(SECP256R1()), _named("an authority of the tests")
    certificate = (
        _certificate(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(*[each == 5 for each in range(9)]), critical=True)  # keyCertSign
        .sign(key, SHA256())
    )
    client = ssl.create_default_context(cadata=certificate.public_bytes(Encoding.PEM).decode())

    def server(*names: x509.GeneralName) -> ssl.SSLContext:
        own = generate_private_key(SECP256R1())
        issued = (
            _certificate(_named("a mail server"), name, own)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .sign(key, SHA256())
        )
        return _server_context(own, issued)

    here = server(x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))
    return Authority(client, here, server(x509.DNSName("mail.elsewhere.example")))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _server_context(key: EllipticCurvePrivateKey, certificate: x509.Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        file.write_bytes(pem + certificate.public_bytes(Encoding.PEM))
        context.load_cert_chain(file)
    return context
