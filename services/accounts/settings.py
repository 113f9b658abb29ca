"""Settings from environment variables, validated. No other module reads the environment."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AwareDatetime, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from accounts.database_url import DatabaseUrl
from accounts.settings_addresses import (
    LOOPBACK,
    Host,
    Hosts,
    Networks,
    OptionalHost,
    OptionalLink,
    OptionalPort,
    OptionalUrl,
    Origin,
    Origins,
    Port,
    bracketed,
    local_url,
)
from accounts.settings_providers import ProviderKeys, ProviderSettings
from accounts.settings_types import (
    Count,
    Environment,
    Factor,
    LimitGroup,
    LogLevel,
    Mailbox,
    OptionalColour,
    OptionalPostgresUrl,
    Positive,
    PostgresUrl,
    PrivateKeys,
    SignUp,
    SmtpSecurity,
    pem_keys,
    split_keys,
)

__all__ = [
    "Environment",
    "LimitGroup",
    "Settings",
    "SettingsError",
    "SignUp",
    "SmtpSecurity",
    "get_providers",
    "get_settings",
]

PLACEHOLDER = "change-me"
SECRETS_DIRECTORY = Path("/run/secrets")
SECRET_LENGTH = 32
DAY = 24 * 60 * 60
AROUND_HOST = re.compile(r"^https?://|:\d+$")  # the scheme and port of a URL without path


def _local_url(given: dict[str, Any]) -> str:
    return local_url(given["api_host"], given["api_port"])


class SettingsError(SystemExit):
    """A setting is missing or invalid. Ends the process with a message of one line and status 1."""


class Settings(BaseSettings):
    """All settings, named and described as in ``.env.example``.

    A variable overrides the file of the same name, in lower case, in ``/run/secrets``, where Docker mounts secrets.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    environment: Environment = Environment.PRODUCTION
    log_level: LogLevel = "info"

    api_host: Host = "127.0.0.1"
    api_port: Port = 8000
    web_concurrency: Count = 2
    metrics_host: Host = "127.0.0.1"
    metrics_port: OptionalPort = 0
    otel_exporter_otlp_endpoint: OptionalUrl = ""

    database_url: PostgresUrl
    database_read_url: OptionalPostgresUrl = SecretStr("")
    postgres_password: SecretStr | None = None
    postgres_api_password: SecretStr | None = None
    database_pool_size: Count = 10

    public_url: Annotated[Origin, Field(default_factory=_local_url)]
    pages_url: OptionalUrl = ""
    accent_color: OptionalColour = ""
    logo_file: Path | None = None
    terms_url: OptionalLink = ""
    privacy_url: OptionalLink = ""
    templates_dir: Path | None = None
    allowed_hosts: Hosts = ("localhost", "127.0.0.1", "[::1]")
    cors_origins: Origins = ()
    trusted_proxies: Networks = ()

    sign_up: SignUp = SignUp.VERIFIED
    sign_in_by_code: bool = False
    oidc_providers: ProviderKeys = ()
    email_special_use_domains: bool = False
    secret_key: SecretStr
    signing_key: PrivateKeys = SecretStr("")
    keys_rotate_at: AwareDatetime | None = None
    access_token_seconds: Positive = 900
    session_idle_seconds: Positive = 14 * DAY
    session_seconds: Positive = 90 * DAY
    sessions_per_user: Positive = 20
    recent_seconds: Positive = 600
    superuser_aal: Annotated[int, Field(ge=1, le=2)] = 1
    password_min_length: Annotated[int, Field(ge=8, le=64)] = 12
    breached_passwords_url: OptionalUrl = ""
    breached_passwords_file: Path | None = None
    passkey_rp_id: OptionalHost = ""
    throttle_scale: Factor = 1
    throttle_scale_sign_in: Factor = 1
    throttle_scale_guesses: Factor = 1
    throttle_scale_sign_up: Factor = 1
    throttle_scale_mail: Factor = 1
    throttle_scale_requests: Factor = 1
    audit_days: Positive = 365

    mail_from: Mailbox = "accounts <accounts@localhost>"
    mail_folder: Path | None = None
    smtp_host: OptionalHost = ""
    smtp_port: Port = 587
    smtp_security: SmtpSecurity = "starttls"
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")

    @property
    def development(self) -> bool:
        """Whether this is a development environment."""
        return self.environment is Environment.DEVELOPMENT

    @property
    def database(self) -> DatabaseUrl:
        """``database_url``, with ``postgres_password`` unless the URL has a password."""
        url = DatabaseUrl.parse(self.database_url.get_secret_value())
        if url.password is None and self.postgres_password is not None:
            url = replace(url, password=self.postgres_password.get_secret_value())
        return url

    @property
    def session_idle(self) -> timedelta:
        """The time after which an unused session expires."""
        return timedelta(seconds=self.session_idle_seconds)

    def at_replica(self) -> Self:
        """Return the settings with ``database_read_url`` as the database."""
        return self.model_copy(update={"database_url": self.database_read_url})

    @property
    def hosts(self) -> frozenset[str]:
        """The accepted names in the Host header, without ports; IPv6 addresses in brackets; ``*.`` before a domain."""
        return _hosts(self.allowed_hosts, self.api_host, self.public_url)

    @property
    def account_url(self) -> str:
        """The URL of the account pages, which mails link to."""
        return self.pages_url or f"{self.public_url}/account"

    @property
    def service(self) -> str:
        """The name of this service in mails: the name in ``mail_from``, or else its domain."""
        return parseaddr(self.mail_from)[0] or self.mail_domain

    def limit_scale(self, group: LimitGroup) -> float:
        """Return the factor for the rate limits of a group."""
        own: float = getattr(self, f"throttle_scale_{group}")
        return self.throttle_scale * own

    @property
    def mail_domain(self) -> str:
        """The domain of ``mail_from``."""
        return parseaddr(self.mail_from)[1].rpartition("@")[2]

    @property
    def secret_keys(self) -> list[str]:
        """The keys in ``secret_key``, the one that signs now first."""
        return [*self.signing_order(split_keys(self.secret_key.get_secret_value()))]

    @property
    def signing_keys(self) -> list[bytes]:
        """The private keys in ``signing_key``, in PEM, the newest first."""
        return pem_keys(self.signing_key.get_secret_value())

    def signing_order[Key](self, keys: Sequence[Key]) -> Sequence[Key]:
        """Return ``keys``, the newest first, with the one that signs now first: until KEYS_ROTATE_AT the second one.

        So every process, and every service that caches the public keys, knows a key before it signs.
        """
        if self.keys_rotate_at is None or datetime.now(UTC) >= self.keys_rotate_at:
            return keys
        return [*keys[1:2], keys[0], *keys[2:]]

    @model_validator(mode="after")
    def _require_secrets(self) -> Self:
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
                raise ValueError(f"{name} still has the placeholder value of .env.example")
        if min(map(len, self.secret_keys)) < SECRET_LENGTH:
            raise ValueError(f"SECRET_KEY is shorter than {SECRET_LENGTH} characters")
        if "public_url" not in self.model_fields_set:
            raise ValueError("PUBLIC_URL is not set; in production it is the https:// URL at which users reach the API")
        return self


@cache  # called for each request
def _hosts(allowed: tuple[str, ...], api_host: str, public_url: str) -> frozenset[str]:
    return frozenset((*allowed, bracketed(api_host), AROUND_HOST.sub("", public_url)))


@cache
def get_settings() -> Settings:
    """Read the settings once.

    Raises:
        SettingsError: a variable is missing or invalid. The message contains its name, never its value.

    """
    return _read(Settings)


def get_providers(settings: Settings) -> list[ProviderSettings]:
    """Read the variables of each provider in OIDC_PROVIDERS.

    Raises:
        SettingsError: as in ``get_settings``.

    """
    return [_read_provider(key, settings) for key in settings.oidc_providers]


def _read_provider(key: str, settings: Settings) -> ProviderSettings:
    prefix = ProviderSettings.prefix(key)
    provider = _read(ProviderSettings, prefix, key=key)
    url = urlsplit(provider.issuer)
    if url.scheme == "http" and url.hostname not in LOOPBACK and not settings.development:
        raise SettingsError(f"accounts: {prefix}ISSUER: must begin with https://")
    return provider


def _read[Model: BaseSettings](model: type[Model], prefix: str = "", **values: str) -> Model:
    secrets = SECRETS_DIRECTORY if SECRETS_DIRECTORY.is_dir() else None
    try:
        return model(_env_prefix=prefix, _secrets_dir=secrets, **values)  # type: ignore[arg-type]  # mypy knows the fields only
    except SourceError as error:
        name, reason = str(error).split('"')[1].upper(), getattr(error.__cause__, "strerror", "it is not UTF-8")
        raise SettingsError(f"accounts: {prefix}{name}: the file in {secrets} cannot be read: {reason}") from None
    except ValidationError as error:
        faults = error.errors(include_url=False)
        problems = [
            _problem(fault, prefix) for fault in faults if fault["type"] != "default_factory_not_called"
        ]  # a consequence
        raise SettingsError("accounts: " + "; ".join(problems)) from None


def _problem(error: ErrorDetails, prefix: str) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = prefix + str(error["loc"][0]).upper()
    return f"{name} is not set" if error["type"] == "missing" else f"{name}: {message}"
