"""The environment, typed and checked: the only module that reads it."""

import re
from email import policy
from email.utils import parseaddr
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

PLACEHOLDER = "change-me"
SECRETS_DIRECTORY = Path("/run/secrets")
SECRET_LENGTH = 32
DAY = 24 * 60 * 60
PUBLIC_HOST = re.compile(r"^https?://|:\d+$")  # what of a public URL is not its host
PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)


class Environment(StrEnum):
    """What the process runs for; anything but development is treated as production."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class SettingsError(SystemExit):
    """The environment is incomplete or wrong; ends the process with one line and status 1."""


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _one_mailbox(value: str) -> str:
    """Take what RFC 5322, 3.4 calls a mailbox; an address beyond ASCII would need servers with SMTPUTF8 all the way."""
    parsed = policy.default.header_factory("From", value)
    if parsed.defects or [group.display_name for group in parsed.groups] != [None]:
        raise ValueError("not one mailbox, as in: Name <name@example.com>")
    if not parsed.addresses[0].addr_spec.isascii():
        raise ValueError("an address that is not all ASCII; of a domain there is a form that is, xn--…")
    return value


SEPARATED = (NoDecode, BeforeValidator(_split))  # in a variable, by commas
SmtpSecurity = Literal["none", "starttls", "tls"]
Host = Annotated[str, Field(pattern=r"^(\*|\[[0-9a-f:.]+\]|[a-z0-9._-]+)$")]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/?#]+)$")]


class Settings(BaseSettings):
    """Every setting, named as in ``.env.example``.

    A variable wins over the file of the same name (in lower case) under ``/run/secrets``, where Docker mounts secrets.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    environment: Environment = Environment.PRODUCTION
    database_url: SecretStr
    postgres_password: SecretStr | None = None
    postgres_api_password: SecretStr | None = None
    audit_days: Annotated[int, Field(ge=1)] = 365
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    secret_key: SecretStr
    signing_key: SecretStr = SecretStr("")
    public_url: Annotated[str, Field(pattern=r"^https?://[^/?#]+$")] = "http://localhost:8000"
    pages_url: Annotated[str, Field(pattern=r"^(https?://[^?#]+)?$")] = ""
    access_token_seconds: Annotated[int, Field(ge=1)] = 900
    session_idle_seconds: Annotated[int, Field(ge=1)] = 14 * DAY
    session_seconds: Annotated[int, Field(ge=1)] = 90 * DAY
    sessions_per_user: Annotated[int, Field(ge=1)] = 20
    recent_seconds: Annotated[int, Field(ge=1)] = 600
    password_min_length: Annotated[int, Field(ge=8, le=64)] = 12
    throttle_scale: Annotated[float, Field(gt=0, le=1_000_000)] = 1
    allowed_hosts: Annotated[tuple[Host, ...], *SEPARATED] = ("localhost", "127.0.0.1", "[::1]")
    cors_origins: Annotated[tuple[Origin, ...], *SEPARATED] = ()
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], *SEPARATED] = ()
    mail_from: Annotated[str, AfterValidator(_one_mailbox)] = "accounts <accounts@localhost>"
    smtp_host: str = ""
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 587
    smtp_security: SmtpSecurity = "starttls"
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    mail_folder: Path | None = None
    api_host: str = "127.0.0.1"
    api_port: Annotated[int, Field(ge=1, le=65535)] = 8000
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    otel_exporter_otlp_endpoint: Annotated[str, Field(pattern=r"^(https?://[^?#\s]+)?$")] = ""
    web_concurrency: Annotated[int, Field(ge=1, le=1000)] = 2
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def development(self) -> bool:
        """Whether conveniences of development are allowed."""
        return self.environment is Environment.DEVELOPMENT

    @property
    def database(self) -> URL:
        """``database_url`` for asyncpg, with ``postgres_password`` where the URL has none."""
        url = make_url(self.database_url.get_secret_value()).set(drivername="postgresql+asyncpg")
        if mode := url.query.get("sslmode"):  # as libpq, and so every provider, calls what asyncpg calls ssl
            url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
        if url.password is None and self.postgres_password is not None:
            url = url.set(password=self.postgres_password.get_secret_value())
        return url

    @property
    def hosts(self) -> frozenset[str]:
        """The names by which the API may be called, without ports; IPv6 addresses in brackets."""
        return _hosts(self.allowed_hosts, self.api_host, self.public_url)

    @property
    def account_url(self) -> str:
        """Where the pages are that mails link to."""
        return self.pages_url.rstrip("/") or f"{self.public_url}/account"

    @property
    def service(self) -> str:
        """What mail calls this service: the name in ``mail_from``, or its domain where it has none."""
        return parseaddr(self.mail_from)[0] or self.mail_domain

    @property
    def mail_domain(self) -> str:
        """The domain of ``mail_from``."""
        return parseaddr(self.mail_from)[1].rpartition("@")[2]

    @property
    def secret_keys(self) -> list[str]:
        """The parts of ``secret_key``: the newest first."""
        return [part.strip() for part in self.secret_key.get_secret_value().split(",")]

    @property
    def signing_keys(self) -> list[bytes]:
        """The private keys in ``signing_key``, in PEM: the newest first."""
        return [pem.encode() for pem in PEM.findall(self.signing_key.get_secret_value())]

    @model_validator(mode="after")
    def _signing_keys_are_keys(self) -> Self:
        try:
            usable = all(load_pem_private_key(pem, password=None) for pem in self.signing_keys)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            usable = False
        if not usable or bool(self.signing_keys) != bool(self.signing_key.get_secret_value().strip()):
            raise ValueError("SIGNING_KEY holds something that is no private key in PEM, without a password")
        return self

    @model_validator(mode="after")
    def _database_url_is_postgresql(self) -> Self:
        try:
            scheme = make_url(self.database_url.get_secret_value()).get_backend_name()
        except (ArgumentError, ValueError):
            scheme = ""
        if scheme not in {"postgresql", "postgres"}:
            raise ValueError("DATABASE_URL is not of the form postgresql://user@host:port/name")
        return self

    @model_validator(mode="after")
    def _metrics_have_a_port_of_their_own(self) -> Self:
        if self.metrics_port == self.api_port:
            raise ValueError("METRICS_PORT is the same as API_PORT")
        return self

    @model_validator(mode="after")
    def _secrets_are_secret(self) -> Self:
        if not all(self.secret_keys):
            raise ValueError("SECRET_KEY is empty, or has a comma too many")
        if self.development:
            return self
        api = self.postgres_api_password or SecretStr("")
        secrets = {
            "SECRET_KEY": self.secret_keys,
            "POSTGRES_PASSWORD": [self.database.password or ""],
            "POSTGRES_API_PASSWORD": [api.get_secret_value()],
        }
        for name, values in secrets.items():
            if PLACEHOLDER in values:
                raise ValueError(f"{name} is still the placeholder of .env.example")
        if min(map(len, self.secret_keys)) < SECRET_LENGTH:
            raise ValueError(f"SECRET_KEY is shorter than {SECRET_LENGTH} characters")
        return self


@cache  # each request asks
def _hosts(allowed: tuple[str, ...], host: str, url: str) -> frozenset[str]:
    return frozenset((*allowed, host, PUBLIC_HOST.sub("", url).lower()))


@cache
def get_settings() -> Settings:
    """Read the environment, once.

    Raises:
        SettingsError: a variable is missing or wrong; the message names it and never shows its value.

    """
    secrets = SECRETS_DIRECTORY if SECRETS_DIRECTORY.is_dir() else None
    try:
        return Settings(_secrets_dir=secrets)  # type: ignore[call-arg]  # without pydantic's plugin mypy sees the fields only
    except SourceError as error:
        name, why = str(error).split('"')[1].upper(), getattr(error.__cause__, "strerror", "it is no text in UTF-8")
        raise SettingsError(f"accounts: {name}: its file in {secrets} cannot be read: {why}") from None
    except ValidationError as error:
        raise SettingsError("accounts: " + "; ".join(_line(each) for each in error.errors(include_url=False))) from None


def _line(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][0]).upper()
    return f"{name} is not set" if error["type"] == "missing" else f"{name}: {message}"
