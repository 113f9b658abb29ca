"""The environment, typed and checked."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from accounts import settings
from accounts.settings import Settings, SettingsError, get_settings

ROOT = Path(__file__).parents[2]
GOOD = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://accounts@db:5432/accounts",
    "POSTGRES_PASSWORD": "p@ss:w/rd",
    "SECRET_KEY": "0123456789abcdef0123456789abcdef",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A good environment, and no files of secrets."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(settings, "SECRETS_DIRECTORY", tmp_path / "none")
    monkeypatch.setattr(settings, "get_settings", get_settings.__wrapped__)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_completes_the_url_with_the_password() -> None:
    found = settings.get_settings()

    assert found.database.render_as_string(hide_password=False) == (
        "postgresql+asyncpg://accounts:p%40ss%3Aw%2Frd@db:5432/accounts"
    )
    assert not found.development


def test_takes_the_url_of_a_provider(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgres://accounts:pw@db.example/accounts?sslmode=require")

    found = settings.get_settings().database

    assert (found.drivername, found.query) == ("postgresql+asyncpg", {"ssl": "require"})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SECRET_KEY", None, "SECRET_KEY is not set"),
        ("DATABASE_URL", None, "DATABASE_URL is not set"),
        ("SECRET_KEY", "change-me", "SECRET_KEY is still the placeholder of .env.example"),
        ("POSTGRES_API_PASSWORD", "change-me", "POSTGRES_API_PASSWORD is still the placeholder of .env.example"),
        ("POSTGRES_PASSWORD", "change-me", "POSTGRES_PASSWORD is still the placeholder of .env.example"),
        ("DATABASE_URL", "postgresql://a:change-me@db/a", "POSTGRES_PASSWORD is still the placeholder of .env.example"),
        ("SECRET_KEY", "short", "SECRET_KEY is shorter than 32 characters"),
        ("SECRET_KEY", f"{GOOD['SECRET_KEY']},short", "SECRET_KEY is shorter than 32 characters"),
        ("SIGNING_KEY", "x", "SIGNING_KEY holds something that is no private key in PEM, without a password"),
        (
            "SIGNING_KEY",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "SIGNING_KEY holds something that is no private key in PEM, without a password",
        ),
        ("DATABASE_URL", "sqlite:///x", "DATABASE_URL is not of the form postgresql://user@host:port/name"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL is not of the form postgresql://user@host:port/name"),
        ("API_PORT", "70000", "API_PORT: Input should be less than or equal to 65535"),
        ("MAIL_FROM", "a@example.com, b@example.com", "MAIL_FROM: not one mailbox, as in: Name <name@example.com>"),
        ("MAIL_FROM", "Everybody: a@example.com;", "MAIL_FROM: not one mailbox, as in: Name <name@example.com>"),
        ("MAIL_FROM", "accounts", "MAIL_FROM: not one mailbox, as in: Name <name@example.com>"),
        (
            "MAIL_FROM",
            "a@example.com\nBcc: b@example.com",
            "MAIL_FROM: not one mailbox, as in: Name <name@example.com>",
        ),
        (
            "MAIL_FROM",
            "a@bücher.example",
            "MAIL_FROM: an address that is not all ASCII; of a domain there is a form that is, xn--…",
        ),
        ("SMTP_SECURITY", "ssl", "SMTP_SECURITY: Input should be 'none', 'starttls' or 'tls'"),
        ("ENVIRONMENT", "staging", "ENVIRONMENT: Input should be 'development' or 'production'"),
    ],
)
def test_names_what_is_wrong_and_not_its_value(
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

    found = settings.get_settings()

    assert found.hosts == {"accounts.example.com", "[::1]", "public.example.com", "127.0.0.1"}
    assert found.cors_origins == ("https://app.example.com",)
    assert [str(network) for network in found.trusted_proxies] == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALLOWED_HOSTS", "https://x"), ("CORS_ORIGINS", "app.example.com"), ("TRUSTED_PROXIES", "10.0.0.1/8")],
)
def test_lists_are_checked(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)

    with pytest.raises(SettingsError, match=f"accounts: {name}: "):
        settings.get_settings()


def test_development_may_use_the_placeholders(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ENVIRONMENT", "development")
    environment.setenv("SECRET_KEY", "change-me")

    assert settings.get_settings().development


def test_secrets_may_come_from_files(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("from a file and long enough to be one\n")
    (tmp_path / "postgres_password").write_text("from a file")
    environment.setattr(settings, "SECRETS_DIRECTORY", tmp_path)
    environment.setenv("SECRET_KEY", "")

    found = settings.get_settings()

    assert found.secret_key.get_secret_value() == "from a file and long enough to be one"
    assert found.database.password == GOOD["POSTGRES_PASSWORD"]  # a variable wins


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff\xfe", "SECRET_KEY: its file in .* cannot be read: it is no text in UTF-8"),
        (b"\n", "SECRET_KEY is empty, or has a comma too many"),
    ],
)
def test_a_file_that_holds_no_secret_is_named(
    environment: pytest.MonkeyPatch, tmp_path: Path, content: bytes, complaint: str
) -> None:
    (tmp_path / "secret_key").write_bytes(content)
    environment.setattr(settings, "SECRETS_DIRECTORY", tmp_path)
    environment.delenv("SECRET_KEY")
    environment.setenv("ENVIRONMENT", "development")

    with pytest.raises(SettingsError, match=f"^accounts: {complaint}$"):
        settings.get_settings()


@pytest.mark.usefixtures("environment")
def test_secrets_do_not_show() -> None:
    shown = repr(settings.get_settings())

    assert GOOD["SECRET_KEY"] not in shown
    assert GOOD["POSTGRES_PASSWORD"] not in shown


def test_the_example_names_every_variable_once_with_its_comment() -> None:
    example = (ROOT / ".env.example").read_text()

    documented = re.findall(r"^# .*\n(?:[A-Z_]+=.*\n)*?([A-Z_]+)=", example, re.MULTILINE)
    named = re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)

    engines_own = {"DATABASE_URL"}  # each engine knows where its server is
    composes_own = {"API_REPLICAS", "PROXY_NETWORK"}  # about containers, and not about what is in them
    assert sorted(named) == sorted({name.upper() for name in Settings.model_fields} - engines_own | composes_own)
    assert set(documented) >= set(named) - {"API_PORT", "METRICS_PORT"}


def test_containers_are_handed_every_variable() -> None:
    handed_on = set(re.findall(r"^ {4,6}([A-Z_]+):", (ROOT / "compose.yaml").read_text(), re.MULTILINE))

    decided_by_the_image = {"API_HOST", "API_PORT", "METRICS_HOST"}
    assert handed_on >= {name.upper() for name in Settings.model_fields} - decided_by_the_image


@pytest.mark.slow
def test_a_process_ends_with_one_line() -> None:
    for command in (["-m", "alembic", "upgrade", "head"], ["-m", "gunicorn"]):
        result = subprocess.run(
            [sys.executable, *command], env={"PATH": "/usr/bin"}, capture_output=True, text=True, check=False
        )
        assert result.returncode != 0
        assert result.stderr.strip() == "accounts: DATABASE_URL is not set; SECRET_KEY is not set"


def test_mail_may_come_from_a_name_in_any_script_and_its_password_from_a_file(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "smtp_password").write_text("from a file\n")
    environment.setattr(settings, "SECRETS_DIRECTORY", tmp_path)
    environment.setenv("MAIL_FROM", "Bücher <post@xn--bcher-kva.example>")

    found = settings.get_settings()

    assert found.mail_from == "Bücher <post@xn--bcher-kva.example>"
    assert found.smtp_password.get_secret_value() == "from a file"
    assert "from a file" not in repr(found)
