"""Certificates of an authority of the tests' own, for servers on this machine."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """TLS contexts: of servers on this machine and elsewhere, and of a client that trusts this authority only.

    ``certificate`` and ``revoked``, an empty list, are in PEM; ``key`` is that of the authority.
    """

    client: ssl.SSLContext
    server: ssl.SSLContext
    elsewhere: ssl.SSLContext
    key: EllipticCurvePrivateKey
    certificate: bytes
    revoked: bytes


@cache
def authority() -> Authority:
    key, name = generate_private_key(SECP256R1()), _named("an authority of the tests")
    certificate = (
        _certificate(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(*[position in {5, 6} for position in range(9)]), critical=True)  # to sign both
        .sign(key, SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    client = ssl.create_default_context(cadata=pem.decode())
    now = datetime.now(UTC)
    revoked = x509.CertificateRevocationListBuilder(name, now - timedelta(hours=1), now + timedelta(hours=1))

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
    elsewhere = server(x509.DNSName("mail.elsewhere.example"))
    return Authority(client, here, elsewhere, key, pem, revoked.sign(key, SHA256()).public_bytes(Encoding.PEM))


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
