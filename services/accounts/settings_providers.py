"""Settings of the providers in OIDC_PROVIDERS: the variables ``OIDC_<NAME>_…``."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from accounts.settings_addresses import SEPARATED, url_parts

NAME_LENGTH = 50
ISSUER_LENGTH = 255
GITHUB = "https://github.com"


class Kind(StrEnum):
    """The protocol that a provider speaks."""

    OIDC = "oidc"
    GITHUB = "github"


class TrustEmail(StrEnum):
    """Which email addresses of a provider count as verified."""

    VERIFIED = "verified"  # those of which the provider says so
    ALWAYS = "always"  # all: for a provider that gives each user an address


class ProviderSignUp(StrEnum):
    """Whether users create an account by their first sign-in with the provider."""

    FOLLOW = "follow"  # as SIGN_UP says
    NO = "no"


class Link(StrEnum):
    """How a sign-in with the provider is linked to the account that has the same verified email."""

    CONFIRM = "confirm"  # the user signs in to the account as well
    VERIFIED = "verified"  # at once


class SecondFactor(StrEnum):
    """Whether users with a second factor are asked for it after a sign-in with the provider."""

    ASK = "ask"
    TRUST = "trust"  # the provider asks for one


def _require_distinct(keys: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(keys)) < len(keys):
        raise ValueError("must not contain a name twice")
    return keys


def _separated_by_blanks(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


def _issuer(value: str) -> str:
    """Validate an issuer, and leave it as it is: tokens repeat it letter by letter."""
    url_parts(value)
    return value


Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=NAME_LENGTH)]
ProviderKeys = Annotated[tuple[Key, ...], *SEPARATED, AfterValidator(_require_distinct)]
ScopeToken = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")]  # RFC 6749, 3.3
Words = Annotated[tuple[ScopeToken, ...], NoDecode, BeforeValidator(_separated_by_blanks)]
Acr = Annotated[tuple[ScopeToken, ...], *SEPARATED]
Issuer = Annotated[str, StringConstraints(max_length=ISSUER_LENGTH), AfterValidator(_issuer)]


class ProviderSettings(BaseSettings):
    """The settings of one provider, as docs/sign-in-with-providers.md describes them.

    ``key`` is its name in OIDC_PROVIDERS and in URLs.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    key: str
    kind: Kind
    issuer: Issuer
    client_id: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]+$")]
    client_secret: SecretStr = SecretStr("")
    name: Annotated[str, Field(max_length=NAME_LENGTH)]
    scopes: Words
    trust_email: TrustEmail = TrustEmail.VERIFIED
    sign_up: ProviderSignUp = ProviderSignUp.FOLLOW
    link: Link = Link.CONFIRM
    acr: Acr = ()
    second_factor: SecondFactor = SecondFactor.ASK

    @model_validator(mode="before")
    @classmethod
    def _add_defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        kind = given.get("kind") or (Kind.GITHUB if given["key"] == Kind.GITHUB else Kind.OIDC)
        defaults = {"kind": kind, "name": given["key"].capitalize(), "scopes": "openid email profile"}
        if kind == Kind.GITHUB:
            defaults |= {"issuer": GITHUB, "name": "GitHub", "scopes": "read:user user:email"}
        return defaults | given

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind is Kind.GITHUB and not self.client_secret.get_secret_value():
            raise ValueError(f"{self.prefix(self.key)}CLIENT_SECRET is not set")
        if self.kind is Kind.GITHUB and self.acr:
            raise ValueError(f"{self.prefix(self.key)}ACR: GitHub does not say how its users signed in")
        if self.kind is Kind.OIDC and "openid" not in self.scopes:
            raise ValueError(f"{self.prefix(self.key)}SCOPES: must contain openid")
        return self

    @staticmethod
    def prefix(key: str) -> str:
        """Return the beginning of the names of a provider's variables."""
        return f"OIDC_{key.upper().replace('-', '_')}_"
