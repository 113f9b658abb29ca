"""DATABASE_URL: what libpq takes is taken, or refused when the process starts."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from sqlalchemy import NullPool, text

from accounts.database_url import FORM, DatabaseUrl
from accounts.db.connect import engine_to
from accounts.libpq_parameters import ACCEPTED
from accounts.migrations.roles import ROLE
from support import libpq
from support.certificates import authority
from support.tls_front import TlsFront

NUMBERS = ("0", "1", "7", "-1", "")
WORDS = (
    "auto",
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
    "bogus",
    "any",
    "read-write",
    "no",
)
VALUES = (*NUMBERS, *WORDS, "primary", "standby", "direct", "postgres", "TLSv1.2", "3.0", "UTF8", "system", "/nowhere")
OF_OTHERS = ("pgbouncer", "schema", "connection_limit", "ssl", "prepared_statement_cache_size", "timeout", "sslaccept")
TRUSTED = "sslmode=verify-full&sslrootcert={folder}/root.pem"
CONNECTING = [
    *(f"sslmode={mode}" for mode in ("disable", "allow", "prefer", "require")),
    "sslmode=verify-ca&sslrootcert={folder}/root.pem",
    TRUSTED,
    f"{TRUSTED}&sslcrl={{folder}}/revoked.pem",
    f"{TRUSTED}&sslcert={{folder}}/root.pem&sslkey={{folder}}/key.pem",
    f"{TRUSTED}&sslcert={{folder}}/root.pem&sslkey={{folder}}/locked.pem&sslpassword=a%20word",
    f"{TRUSTED}&channel_binding=require&sslnegotiation=postgres",
    "sslmode=verify-full&sslrootcert=system&sslcrl={folder}/revoked.pem",
    "sslrootcert=system&ssl_min_protocol_version=TLSv1.2&ssl_max_protocol_version=TLSv1.3",
    f"{TRUSTED}&ssl_min_protocol_version=TLSv1.2&ssl_max_protocol_version=TLSv1.3",
    "ssl=true",
    "connect_timeout=10&target_session_attrs=read-write",
    "connect_timeout=0&target_session_attrs=primary",
    "application_name=ours&fallback_application_name=x",
    "options=-c%20geqo%3Doff%20-c%20work_mem%3D8MB",
    "passfile=/nowhere&client_encoding=UTF8&channel_binding=prefer&gssencmode=prefer&gssdelegation=0",
    "keepalives=1&keepalives_idle=30&keepalives_interval=10&keepalives_count=3&tcp_user_timeout=1000",
    "load_balance_hosts=disable&min_protocol_version=3.0&max_protocol_version=latest",
    "sslcertmode=allow&sslcompression=0&sslsni=1",
    "user=accounts_api&password=x&host=127.0.0.1&port={port}&dbname={database}",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files with the certificates of the test's authority."""
    folder, ours = tmp_path_factory.mktemp("certificates"), authority()
    plain, locked = (
        ours.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
        for lock in (NoEncryption(), BestAvailableEncryption(b"a word"))
    )
    files = {"root": ours.certificate, "revoked": ours.revoked, "key": plain, "locked": locked}
    for name, content in files.items():
        (folder / f"{name}.pem").write_bytes(content)
    return folder


@pytest.fixture
async def front(worker_database: str) -> AsyncIterator[TlsFront]:
    """The database behind a TCP port that also speaks TLS."""
    async with TlsFront(worker_database, authority().server) as front:
        yield front


async def shown(url: str, parameter: str) -> str:
    """Connect as the service does, and return the value of one of PostgreSQL's parameters."""
    engine = engine_to(DatabaseUrl.parse(url), "test", poolclass=NullPool)
    async with engine.connect() as connection:
        return str(await connection.scalar(text(f"SHOW {parameter}")))


@pytest.mark.parametrize("query", CONNECTING)
async def test_parameters_of_libpq_connect(
    front: TlsFront, folder: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "root.pem"))  # the system's authorities
    url = front.url(ROLE, "")
    query = query.format(folder=folder, port=front.port, database=url.split("/")[3].rstrip("?"))

    assert await shown(url + query, "server_encoding") == "UTF8"
    assert front.encrypted == (not re.match("sslmode=(disable|allow)", query))


def test_every_accepted_parameter_is_tried_with_a_connection() -> None:
    assert {name for query in CONNECTING for name in re.findall(r"(?:^|&)(\w+)=", query)} == {*ACCEPTED, "ssl"}


@pytest.mark.parametrize("name", [*libpq.parameters(), *OF_OTHERS])
def test_every_parameter_is_accepted_or_refused_in_one_line(name: str) -> None:
    for value in VALUES:
        refusal = ""
        try:
            DatabaseUrl.parse(f"postgresql://db.example/accounts?{name}={quote(value)}")
        except ValueError as error:
            refusal = str(error)
        assert "\n" not in refusal
        assert name in refusal or refusal == FORM or name in {*ACCEPTED, "ssl"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sslmode=bogus", "sslmode must be one of: disable, allow, prefer, require, verify-ca, verify-full"),
        ("pgbouncer=true", "the parameter pgbouncer is not supported: leave it out"),
        (
            "sslmode=require&channel_binding=require",
            "channel_binding=require is not supported; sslmode=verify-full with",
        ),
        ("sslmode=verify-full", "sslmode=verify-full needs sslrootcert: a file, or system"),
        ("sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
        ("sslnegotiation=direct", "sslnegotiation=direct needs sslmode=require or stricter"),
        ("sslmode=verify-ca&sslrootcert=/nowhere", "sslrootcert: the file cannot be used: No such file or directory"),
        ("sslcert={folder}/root.pem&sslkey={folder}/root.pem", "sslcert: the file cannot be used: "),
        ("sslcrl={folder}/nothing.pem", "sslcrl: the file cannot be used: "),
        ("connect_timeout=soon", "connect_timeout must be a whole number"),
        ("target_session_attrs=standby", "target_session_attrs must be one of: any, primary, read-write"),
        ("port=70000", "port must be a port number, or one for each host"),
        ("port=a", "port must be a port number, or one for each host"),
        ("host=a,b&port=1,2,3", "port must be a port number, or one for each host"),
        ("sslmode", "the parameter sslmode has no value"),
        ("user=%00", "must have the form postgresql://user@host:port/name"),
        ("user=%FF", "must have the form postgresql://user@host:port/name"),
    ],
)
def test_refusal_names_the_parameter(folder: Path, query: str, message: str) -> None:
    (folder / "nothing.pem").write_bytes(b"nothing")

    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        DatabaseUrl.parse(f"postgresql://db.example/accounts?{query.format(folder=folder)}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql:///accounts",
        "postgres://u:p@ec2-1-2-3.compute.amazonaws.com:5432/d1",
        "postgresql://u:p%40%2F%3F%23%25@db.example",
        "postgresql://u:p?#@db.example/x",
        "postgresql://u@a:5432,b:5433/db",
        "postgresql://u@a,b/db?port=1,2",
        "postgresql://u@[::1]:5432/db",
        "postgresql://u@[2001:db8::1]/db",
        "postgresql://u@/db?host=/run/postgresql&port=5433",
        "postgresql://%2Frun%2Fpostgresql/db",
        "postgresql://u@a/db?host=b",
        "postgresql://u@a/db?user=other&password=x%2By+z&dbname=d2",
        "postgresql://b%C3%BCcher:%C3%BC@db.example/%C3%BC",
        "postgresql://u:a/b@db.example/x",
        "postgresql://a:x/db",
        "postgresql:/a",
        "mysql://a/b",
        "nonsense",
    ],
)
def test_url_is_read_as_libpq_reads_it(url: str) -> None:
    by_libpq = libpq.parse(url)
    if by_libpq is None or not re.fullmatch(r"[\d,]*", by_libpq.get("port", "")):
        with pytest.raises(ValueError, match=r"^must have the form postgresql://user@host:port/name; in user"):
            DatabaseUrl.parse(url)
        return

    ours = DatabaseUrl.parse(url)

    assert (ours.user, ours.password, ours.database) == tuple(by_libpq.get(n) for n in ("user", "password", "dbname"))
    assert ",".join(host or "" for host, _ in ours.hosts) == by_libpq.get("host", "")
    ports = by_libpq.get("port", "").split(",")
    assert [str(port or "") for _, port in ours.hosts] == (ports * len(ours.hosts))[: len(ours.hosts)]


def test_hosts_as_sqlalchemy_writes_them_are_read() -> None:
    url = DatabaseUrl.parse("postgresql+asyncpg://u@/db?host=a:5432&host=[::1]:5433&host=::1")

    assert url.hosts == (("a", 5432), ("::1", 5433), ("::1", None))


async def test_service_settings_win_over_options_of_the_url(front: TlsFront) -> None:
    url = front.url(ROLE, "options=-c%20statement_timeout%3D1h%20-c%20geqo%3Doff&application_name=ours")

    assert [await shown(url, name) for name in ("geqo", "application_name")] == ["off", "ours"]


def test_repr_hides_the_password() -> None:
    assert "secret" not in repr(DatabaseUrl.parse("postgresql://u:secret@a/b?sslpassword=secret"))
