"""The variables of providers: what is accepted, what is refused, and what it costs an API that has none."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from accounts import settings
from accounts.domain import errors
from accounts.domain.external_providers.github import GitHubProvider
from accounts.domain.external_providers.oidc import OidcProvider
from accounts.domain.external_providers.providers import Providers
from accounts.settings import SettingsError, get_providers, get_settings
from accounts.settings_providers import Kind, Link, ProviderSettings, ProviderSignUp, SecondFactor, TrustEmail
from support.processes import SECRET
from support.project import ROOT

GOOGLE = {"OIDC_GOOGLE_ISSUER": "https://accounts.google.com", "OIDC_GOOGLE_CLIENT_ID": "id"}
HOST = "https://id.example.com"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Read providers from an environment of production."""
    monkeypatch.setattr(settings, "SECRETS_DIRECTORY", tmp_path)

    def read(names: str, **variables: str) -> list[ProviderSettings]:
        given = {
            "ENVIRONMENT": "production",
            "PUBLIC_URL": "https://accounts.example.com",
            "DATABASE_URL": "postgresql://accounts:p@db/accounts",
            "OIDC_PROVIDERS": names,
        }
        for name, value in (given | variables).items():
            monkeypatch.setenv(name, value)
        return get_providers(get_settings.__wrapped__())

    return read


def test_there_are_none_by_default() -> None:
    assert get_providers(get_settings()) == []
    assert Providers([]).names == {}


def test_provider_needs_an_issuer_and_a_client(read: Any) -> None:
    (google,) = read("google", **GOOGLE)

    assert (google.key, google.name, google.kind, google.issuer) == (
        "google",
        "Google",
        Kind.OIDC,
        GOOGLE["OIDC_GOOGLE_ISSUER"],
    )
    assert google.client_secret.get_secret_value() == ""
    assert google.scopes == ("openid", "email", "profile")
    assert (google.trust_email, google.sign_up) == (TrustEmail.VERIFIED, ProviderSignUp.FOLLOW)
    assert (google.link, google.second_factor, google.acr) == (Link.CONFIRM, SecondFactor.ASK, ())


def test_providers_have_the_order_and_the_names_of_the_setting(read: Any) -> None:
    given = {
        "OIDC_MY_WORK_ISSUER": f"{HOST}/realms/work/",
        "OIDC_MY_WORK_CLIENT_ID": "id",
        "OIDC_MY_WORK_NAME": "Our company",
        "OIDC_MY_WORK_SCOPES": "openid email",
        "OIDC_MY_WORK_TRUST_EMAIL": "always",
        "OIDC_MY_WORK_SIGN_UP": "no",
        "OIDC_MY_WORK_LINK": "verified",
        "OIDC_MY_WORK_ACR": "2,urn:mfa",
        "OIDC_MY_WORK_SECOND_FACTOR": "trust",
        "OIDC_GITHUB_CLIENT_ID": "id",
        "OIDC_GITHUB_CLIENT_SECRET": "secret",
    }
    work, github, google = read("my-work, github,google", **GOOGLE, **given)

    assert (work.issuer, work.name, work.scopes) == (f"{HOST}/realms/work/", "Our company", ("openid", "email"))
    assert (work.trust_email, work.sign_up) == (TrustEmail.ALWAYS, ProviderSignUp.NO)
    assert (work.link, work.second_factor, work.acr) == (Link.VERIFIED, SecondFactor.TRUST, ("2", "urn:mfa"))
    assert (github.kind, github.issuer, github.name) == (Kind.GITHUB, "https://github.com", "GitHub")
    providers = Providers([work, github, google])
    assert list(providers.names.items()) == [("my-work", "Our company"), ("github", "GitHub"), ("google", "Google")]
    opened = providers.get("my-work")
    assert opened is providers.get("my-work")
    assert (opened.name, opened.display_name, opened.issuer) == ("my-work", "Our company", work.issuer)
    assert [type(providers.get(name)) for name in providers.names] == [OidcProvider, GitHubProvider, OidcProvider]
    with pytest.raises(errors.ProviderNotFound):
        providers.get("okta")


def test_github_enterprise_server_may_have_any_name(read: Any) -> None:
    given = {"OIDC_CODE_KIND": "github", "OIDC_CODE_ISSUER": HOST, "OIDC_CODE_CLIENT_ID": "id"}
    (code,) = read("code", OIDC_CODE_CLIENT_SECRET="secret", OIDC_CODE_NAME="Code", **given)

    assert (code.kind, code.issuer, code.name) == (Kind.GITHUB, HOST, "Code")


def test_client_secret_is_read_from_a_file(read: Any, tmp_path: Path) -> None:
    (tmp_path / "oidc_google_client_secret").write_text("from a file\n")

    (google,) = read("google", **GOOGLE)

    assert google.client_secret.get_secret_value() == "from a file"
    assert "from a file" not in repr(google)


@pytest.mark.parametrize(
    ("names", "variables", "message"),
    [
        ("google", {}, "OIDC_GOOGLE_ISSUER is not set; OIDC_GOOGLE_CLIENT_ID is not set"),
        ("my-work", {}, "OIDC_MY_WORK_ISSUER is not set; OIDC_MY_WORK_CLIENT_ID is not set"),
        ("github", {"OIDC_GITHUB_CLIENT_ID": "id"}, "OIDC_GITHUB_CLIENT_SECRET is not set"),
        (
            "google",
            {"OIDC_GOOGLE_ISSUER": "http://accounts.google.com"},
            "OIDC_GOOGLE_ISSUER: must begin with https://",
        ),
        (
            "google",
            {"OIDC_GOOGLE_ISSUER": "accounts.google.com"},
            "OIDC_GOOGLE_ISSUER: must begin with https:// or http://, such as https://accounts.example.com",
        ),
        (
            "google",
            {"OIDC_GOOGLE_ISSUER": f"{HOST}?a"},
            "OIDC_GOOGLE_ISSUER: must have neither blanks nor a query or fragment (? or #)",
        ),
        ("google", {"OIDC_GOOGLE_SCOPES": "email"}, "OIDC_GOOGLE_SCOPES: must contain openid"),
        (
            "google",
            {"OIDC_GOOGLE_TRUST_EMAIL": "yes"},
            "OIDC_GOOGLE_TRUST_EMAIL: Input should be 'verified' or 'always'",
        ),
        ("google", {"OIDC_GOOGLE_KIND": "saml"}, "OIDC_GOOGLE_KIND: Input should be 'oidc' or 'github'"),
        (
            "github",
            {"OIDC_GITHUB_CLIENT_ID": "id", "OIDC_GITHUB_CLIENT_SECRET": "s", "OIDC_GITHUB_ACR": "2"},
            "OIDC_GITHUB_ACR: GitHub does not say how its users signed in",
        ),
    ],
)
def test_error_names_the_variable(read: Any, names: str, variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(names, **(GOOGLE | variables if variables else {}))

    assert error.value.code == f"accounts: {message}"


@pytest.mark.parametrize("names", ["Google", "1", "a_b", "-a", "a b", "google,google", "a" * 51, "ä"])
def test_name_that_fits_no_url_or_variable_is_refused(read: Any, names: str) -> None:
    with pytest.raises(SettingsError, match=r"^accounts: OIDC_PROVIDERS: "):
        read(names, **GOOGLE)


def test_unreadable_secret_file_is_named(read: Any, tmp_path: Path) -> None:
    (tmp_path / "oidc_google_client_secret").write_bytes(b"\xff")

    with pytest.raises(SettingsError, match=r"^accounts: OIDC_GOOGLE_CLIENT_SECRET: the file in .* cannot be read"):
        read("google", **GOOGLE)


@pytest.mark.parametrize("issuer", ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"])
def test_provider_on_this_machine_needs_no_https(read: Any, issuer: str) -> None:
    assert read("google", **GOOGLE | {"OIDC_GOOGLE_ISSUER": issuer})[0].issuer == issuer


def test_provider_needs_no_https_in_development(read: Any) -> None:
    issuer = "http://keycloak:8080/realms/a"

    assert read("google", **GOOGLE | {"ENVIRONMENT": "development", "OIDC_GOOGLE_ISSUER": issuer})[0].issuer == issuer


def test_example_and_documentation_have_every_variable() -> None:
    variables = {name.upper() for name in ProviderSettings.model_fields} - {"KEY"}
    example = (ROOT / ".env.example").read_text()
    page = (ROOT / "docs/sign-in-with-providers.md").read_text()

    assert set(re.findall(r"(?m)^# OIDC_GOOGLE_(\w+)=", example)) == variables
    assert set(re.findall(r"(?m)^\| `OIDC_<NAME>_(\w+)`", page)) == variables


STARTED = """
import asyncio, sys
from accounts.api.app import create_app, lifespan
async def start():
    app = create_app()
    async with lifespan(app) as state:
        print(*state["providers"].names, "httpx2" in sys.modules)
asyncio.run(start())
"""


@pytest.mark.slow
@pytest.mark.parametrize(("names", "printed"), [("", "False"), ("google", "google False")])
def test_api_starts_without_asking_a_provider_and_without_the_http_client(names: str, printed: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "development",
        "SECRET_KEY": SECRET,
        "DATABASE_URL": "postgresql://unused/unused",
        "OIDC_PROVIDERS": names,
        "OIDC_GOOGLE_ISSUER": "https://192.0.2.1",
        "OIDC_GOOGLE_CLIENT_ID": "id",
    }
    result = subprocess.run(
        [sys.executable, "-c", STARTED],
        env=environment,
        cwd=ROOT / "services",
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.strip() == printed
