"""Settings: accepted values, refused values, and error messages."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from accounts import settings
from accounts.database_url import FORM
from accounts.settings import Settings, SettingsError, get_settings
from support.waiting import PATIENCE

PEM = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
ROOT = Path(__file__).parents[2]
SSL_MODES = "disable, allow, prefer, require, verify-ca, verify-full"
VALID = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://accounts@db:5432/accounts",
    "POSTGRES_PASSWORD": "p@ss:w/rd",
    "SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "PUBLIC_URL": "https://accounts.example.com",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A valid environment without secret files."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in VALID.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(settings, "SECRETS_DIRECTORY", tmp_path / "none")
    monkeypatch.setattr(settings, "get_settings", get_settings.__wrapped__)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_database_url_is_completed_with_the_password() -> None:
    loaded = settings.get_settings()

    assert loaded.database.password == VALID["POSTGRES_PASSWORD"]
    assert not loaded.development


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SECRET_KEY", None, "SECRET_KEY is not set"),
        ("DATABASE_URL", None, "DATABASE_URL is not set"),
        ("SECRET_KEY", "change-me", "SECRET_KEY still has the placeholder value of .env.example"),
        ("POSTGRES_API_PASSWORD", "change-me", "POSTGRES_API_PASSWORD still has the placeholder value of .env.example"),
        ("POSTGRES_PASSWORD", "change-me", "POSTGRES_PASSWORD still has the placeholder value of .env.example"),
        (
            "DATABASE_URL",
            "postgresql://a:change-me@db/a",
            "POSTGRES_PASSWORD still has the placeholder value of .env.example",
        ),
        ("SECRET_KEY", "short", "SECRET_KEY is shorter than 32 characters"),
        ("SECRET_KEY", f"{VALID['SECRET_KEY']},short", "SECRET_KEY is shorter than 32 characters"),
        (
            "SIGNING_KEY",
            "x",
            "SIGNING_KEY: must contain private keys in PEM (Ed25519, P-256 or RSA), without a password",
        ),
        (
            "SIGNING_KEY",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "SIGNING_KEY: must contain private keys in PEM (Ed25519, P-256 or RSA), without a password",
        ),
        ("DATABASE_URL", "sqlite:///x", f"DATABASE_URL: {FORM}"),
        ("DATABASE_URL", "postgresql://a@b/c?sslmode=bogus", f"DATABASE_URL: sslmode must be one of: {SSL_MODES}"),
        ("KEYS_ROTATE_AT", "2030-01-31T12:00:00", "KEYS_ROTATE_AT: Input should have timezone info"),
        ("API_PORT", "70000", "API_PORT: must be a port number from 1 to 65535"),
        (
            "MAIL_FROM",
            "a@example.com, b@example.com",
            "MAIL_FROM: must be one mailbox, such as Name <name@example.com>",
        ),
        ("MAIL_FROM", "Everybody: a@example.com;", "MAIL_FROM: must be one mailbox, such as Name <name@example.com>"),
        ("MAIL_FROM", "accounts", "MAIL_FROM: must be one mailbox, such as Name <name@example.com>"),
        (
            "MAIL_FROM",
            "a@example.com\nBcc: b@example.com",
            "MAIL_FROM: must be one mailbox, such as Name <name@example.com>",
        ),
        (
            "MAIL_FROM",
            "a@bücher.example",
            "MAIL_FROM: the address must be ASCII; write an international domain as xn--…",
        ),
        ("SMTP_SECURITY", "ssl", "SMTP_SECURITY: Input should be 'none', 'starttls' or 'tls'"),
        ("ENVIRONMENT", "staging", "ENVIRONMENT: Input should be 'development' or 'production'"),
    ],
)
def test_error_names_the_variable_and_hides_its_value(
    environment: pytest.MonkeyPatch, name: str, value: str | None, message: str
) -> None:
    environment.setenv(name, value) if value else environment.delenv(name)

    with pytest.raises(SettingsError) as error:
        settings.get_settings()

    assert error.value.code == f"accounts: {message}"


def test_lists_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALLOWED_HOSTS", "accounts.example.com, [::1]")
    environment.setenv("CORS_ORIGINS", "https://app.example.com,")
    environment.setenv("TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.1,2001:db8::/32")
    environment.setenv("PUBLIC_URL", "https://Public.example.com:8443")

    loaded = settings.get_settings()

    assert loaded.hosts == {"accounts.example.com", "[::1]", "public.example.com", "127.0.0.1"}
    assert loaded.cors_origins == ("https://app.example.com",)
    assert [str(network) for network in loaded.trusted_proxies] == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALLOWED_HOSTS", "https://x"), ("CORS_ORIGINS", "app.example.com"), ("TRUSTED_PROXIES", "10.0.0.1/8")],
)
def test_invalid_list_items_are_refused(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)

    with pytest.raises(SettingsError, match=f"accounts: {name}: "):
        settings.get_settings()


@pytest.mark.parametrize("line_break", ["\n", "\\n", " ", ""])
def test_key_pair_may_be_on_one_line(environment: pytest.MonkeyPatch, line_break: str) -> None:
    lines = ed25519.Ed25519PrivateKey.generate().private_bytes(*PEM).decode().splitlines()
    environment.setenv("SIGNING_KEY", 2 * line_break.join(lines))

    first, second = map(load_pem_private_key, settings.get_settings().signing_keys, [None, None])

    assert first.private_bytes(*PEM) == second.private_bytes(*PEM)


@pytest.mark.parametrize("private", [ec.generate_private_key(ec.SECP384R1()), x25519.X25519PrivateKey.generate()])
def test_key_that_signs_with_no_known_algorithm_is_refused(environment: pytest.MonkeyPatch, private: Any) -> None:
    environment.setenv("SIGNING_KEY", private.private_bytes(*PEM).decode())

    with pytest.raises(SettingsError, match=r"SIGNING_KEY: must contain private keys in PEM \(Ed25519, P-256 or RSA\)"):
        settings.get_settings()


def test_placeholders_are_accepted_in_development(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ENVIRONMENT", "development")
    environment.setenv("SECRET_KEY", "change-me")

    assert settings.get_settings().development


def test_secrets_are_read_from_files_and_variables_override_them(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret_key").write_text("from a file and long enough to be one\n")
    (tmp_path / "postgres_password").write_text("from a file")
    environment.setattr(settings, "SECRETS_DIRECTORY", tmp_path)
    environment.setenv("SECRET_KEY", "")

    loaded = settings.get_settings()

    assert loaded.secret_key.get_secret_value() == "from a file and long enough to be one"
    assert loaded.database.password == VALID["POSTGRES_PASSWORD"]  # a variable wins


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "SECRET_KEY: the file in .* cannot be read: it is not UTF-8"),
        (b"\n", "SECRET_KEY is empty, or has a comma too many"),
    ],
)
def test_error_names_the_variable_of_an_unusable_secret_file(
    environment: pytest.MonkeyPatch, tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "secret_key").write_bytes(content)
    environment.setattr(settings, "SECRETS_DIRECTORY", tmp_path)
    environment.delenv("SECRET_KEY")
    environment.setenv("ENVIRONMENT", "development")

    with pytest.raises(SettingsError, match=f"^accounts: {message}$"):
        settings.get_settings()


@pytest.mark.usefixtures("environment")
def test_repr_hides_secrets() -> None:
    shown = repr(settings.get_settings())

    assert VALID["SECRET_KEY"] not in shown
    assert VALID["POSTGRES_PASSWORD"] not in shown


def test_env_example_contains_every_variable_once_with_a_comment() -> None:
    example = (ROOT / ".env.example").read_text()

    documented = re.findall(r"^# .*\n(?:[A-Z_]+=.*\n)*?([A-Z_]+)=", example, re.MULTILINE)
    named = re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)

    set_by_engine = {"DATABASE_URL"}
    read_by_compose = {"API_REPLICAS", "PROXY_NETWORK"}
    assert sorted(named) == sorted({name.upper() for name in Settings.model_fields} - set_by_engine | read_by_compose)
    assert set(documented) >= set(named) - {"API_PORT", "METRICS_PORT"}


def test_compose_passes_every_variable_to_the_containers() -> None:
    passed_on = set(re.findall(r"^ {4,6}([A-Z_]+):", (ROOT / "compose.yaml").read_text(), re.MULTILINE))

    set_by_image = {"API_HOST", "API_PORT", "METRICS_HOST"}
    assert passed_on >= {name.upper() for name in Settings.model_fields} - set_by_image


@pytest.mark.parametrize("file", ["compose.yaml", "deploy/compose.proxy.yaml"])
def test_public_url_of_containers_has_the_published_port(file: str) -> None:
    (given,) = re.findall(r"PUBLIC_URL: (.+)", (ROOT / file).read_text())

    assert given == "${PUBLIC_URL:-http://localhost:${API_PORT:-8000}}"


@pytest.mark.slow
def test_process_with_missing_settings_ends_with_one_line() -> None:
    for command in (["-m", "alembic", "upgrade", "head"], ["-m", "gunicorn"]):
        result = subprocess.run(
            [sys.executable, *command], env={"PATH": "/usr/bin"}, capture_output=True, text=True, check=False
        )
        assert result.returncode != 0
        assert result.stderr.strip() == "accounts: DATABASE_URL is not set; SECRET_KEY is not set"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["alembic", "upgrade", "head"],
        ["gunicorn"],
        ["accounts.worker"],
        ["accounts.seeder"],
        ["accounts.commands.superuser", "merlin@example.com"],
        ["accounts.commands.admin", "mail"],
        ["accounts.commands.restore", "prepare"],
    ],
    ids=" ".join,
)
def test_every_process_refuses_a_database_url_in_one_line(command: list[str]) -> None:
    given = VALID | {"PATH": "/usr/bin", "DATABASE_URL": "postgresql://accounts@db/accounts?sslmode=bogus"}
    result = subprocess.run(
        [sys.executable, "-m", *command], env=given, capture_output=True, text=True, check=False, timeout=PATIENCE
    )

    assert (result.returncode, result.stderr.strip()) == (
        1,
        f"accounts: DATABASE_URL: sslmode must be one of: {SSL_MODES}",
    )


def test_sender_name_may_be_unicode_and_smtp_password_may_be_a_file(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "smtp_password").write_text("from a file\n")
    environment.setattr(settings, "SECRETS_DIRECTORY", tmp_path)
    environment.setenv("MAIL_FROM", "Bücher <post@xn--bcher-kva.example>")

    loaded = settings.get_settings()

    assert loaded.mail_from == "Bücher <post@xn--bcher-kva.example>"
    assert loaded.smtp_password.get_secret_value() == "from a file"
    assert "from a file" not in repr(loaded)


@pytest.mark.parametrize(
    ("given", "colour"),
    [("0b57b8", "#0b57b8"), ("#0B57B8", "#0b57b8"), ("fd0", "#ffdd00"), (" #fff ", "#ffffff"), ("  ", "")],
)
def test_accent_color_is_read_with_and_without_its_sign(
    environment: pytest.MonkeyPatch, given: str, colour: str
) -> None:
    environment.setenv("ACCENT_COLOR", given)

    assert settings.get_settings().accent_color == colour


@pytest.mark.parametrize("given", ["blue", "#12345", "0b57b8;}", "rgb(0,0,0)", "#\uff10b57b8"])
def test_accent_color_that_is_no_hexadecimal_colour_is_refused(environment: pytest.MonkeyPatch, given: str) -> None:
    environment.setenv("ACCENT_COLOR", given)

    with pytest.raises(SettingsError) as error:
        settings.get_settings()

    assert error.value.code == "accounts: ACCENT_COLOR: must be a colour in hexadecimal digits, such as 0b57b8"
