"""Sign-in with GitHub, against a server that does as GitHub documents.

https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps and /rest/users.
"""

import hashlib
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from accounts.domain import errors
from accounts.domain.external_providers.github import API, GitHubProvider
from accounts.domain.external_providers.provider import ExternalUser, Provider
from support.evil_provider import EvilProvider, Json, Raw, answer
from support.external_sign_in import REDIRECT_URI, authorization_request, opened, settings

LOGIN = "/login/oauth/access_token"
USER, EMAILS = "/api/v3/user", "/api/v3/user/emails"
PRIMARY: Json = {"email": "octocat@example.com", "verified": True, "primary": True, "visibility": "public"}
OTHER: Json = {"email": "other@example.com", "verified": True, "primary": False, "visibility": None}


@pytest.fixture
def github(evil: EvilProvider) -> EvilProvider:
    """An evil provider that is a good GitHub Enterprise Server."""
    tokens = {"access_token": "gho_16C7e42F292c6912E7710c838347Ae178B4a", "scope": "user:email", "token_type": "bearer"}
    evil.answers = {
        LOGIN: answer(tokens),
        USER: answer({"id": 583231, "login": "octocat", "name": "The Octocat", "email": "public@example.com"}),
        EMAILS: answer([OTHER, PRIMARY]),
    }
    return evil


def opened_github(issuer: str) -> Any:
    return opened(issuer, kind="github", client_secret="secret")


async def signed_in(provider: Provider) -> ExternalUser:
    return await provider.external_user(authorization_request(), REDIRECT_URI, "code", None)


async def test_user_is_identified_by_the_number_and_has_the_primary_email(github: EvilProvider) -> None:
    request = authorization_request()
    async with opened_github(github.issuer) as provider:
        url = urlsplit(await provider.authorization_url(request, REDIRECT_URI))
        assert not github.calls
        user = await provider.external_user(request, REDIRECT_URI, "code", None)

    challenge = urlsafe_b64encode(hashlib.sha256(request.verifier.encode()).digest()).rstrip(b"=").decode()
    assert url.path == "/login/oauth/authorize"
    assert dict(parse_qsl(url.query)) == {
        "response_type": "code",
        "client_id": "accounts",
        "redirect_uri": REDIRECT_URI,
        "scope": "read:user user:email",
        "state": request.state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    assert user == ExternalUser(github.issuer, "583231", "octocat@example.com", True, "The Octocat", 1)
    token, profile, emails = github.calls
    assert token.form == {
        "client_id": "accounts",
        "client_secret": "secret",
        "grant_type": "authorization_code",
        "code": "code",
        "redirect_uri": REDIRECT_URI,
        "code_verifier": request.verifier,
    }
    assert token.headers["accept"] == "application/json"
    assert (profile.path, emails.path) == (USER, EMAILS)
    for call in (profile, emails):
        assert call.headers["authorization"] == "Bearer gho_16C7e42F292c6912E7710c838347Ae178B4a"
        assert call.headers["accept"] == "application/vnd.github+json"


def test_github_itself_has_its_api_at_another_host() -> None:
    provider = GitHubProvider(settings("https://github.com", kind="github", client_secret="-"), None)  # type: ignore[arg-type]

    assert (provider._oauth, provider._api) == ("https://github.com/login/oauth", API)


@pytest.mark.parametrize(
    "emails",
    [
        [],
        None,
        {},
        "octocat@example.com",
        [None, 1, "a"],
        [OTHER],
        [PRIMARY | {"verified": False}, OTHER],
        [PRIMARY | {"verified": "true"}],
        [PRIMARY | {"primary": 1}],
        [PRIMARY | {"email": None}],
        [PRIMARY | {"email": ["a"]}],
    ],
)
async def test_email_that_is_not_primary_and_verified_is_none(github: EvilProvider, emails: Any) -> None:
    github.answers[EMAILS] = answer(emails)
    async with opened_github(github.issuer) as provider:
        user = await signed_in(provider)

    assert (user.email, user.email_verified) == (None, False)


async def test_name_is_the_login_where_there_is_no_other(github: EvilProvider) -> None:
    github.answers[USER] = answer({"id": 583231, "login": "octocat", "name": None})
    async with opened_github(github.issuer) as provider:
        assert (await signed_in(provider)).name == "octocat"


@pytest.mark.parametrize("number", [None, "583231", True, 0, -1, 1.5, 2**63, [1]])
async def test_user_without_number_is_refused(github: EvilProvider, number: Any) -> None:
    github.answers[USER] = answer({"id": number, "login": "octocat"})
    async with opened_github(github.issuer) as provider:
        with pytest.raises(errors.ProviderRefused):
            await signed_in(provider)


@pytest.mark.parametrize(
    ("tokens", "refusal"),
    [
        ({"error": "bad_verification_code", "error_description": "-"}, errors.ProviderRefused),
        ({"error": "incorrect_client_credentials"}, errors.ProviderUnavailable),
        ({"error": "redirect_uri_mismatch"}, errors.ProviderUnavailable),
        ({}, errors.ProviderRefused),
        ({"access_token": "a\r\nb", "token_type": "bearer"}, errors.ProviderRefused),
        ({"access_token": "a", "token_type": "mac"}, errors.ProviderRefused),
    ],
)
async def test_answer_without_a_token_is_refused(github: EvilProvider, tokens: Json, refusal: Any) -> None:
    github.answers[LOGIN] = answer(tokens)
    async with opened_github(github.issuer) as provider:
        with pytest.raises(refusal):
            await signed_in(provider)

    assert [call.path for call in github.calls] == [LOGIN]


@pytest.mark.parametrize("path", [LOGIN, USER, EMAILS])
@pytest.mark.parametrize(
    "wrong", [answer({}, "500 Internal Server Error"), answer({}, "302 Found", f"Location: {USER}")]
)
async def test_wrong_answer_makes_github_unavailable(github: EvilProvider, path: str, wrong: Raw) -> None:
    github.answers[path] = wrong
    async with opened_github(github.issuer) as provider:
        with pytest.raises(errors.ProviderUnavailable):
            await signed_in(provider)

    assert github.paths()[-1] == path


@pytest.mark.parametrize("iss", ["https://other.example.com", "https://github.com/login/oauth", ""])
async def test_response_of_another_provider_is_refused_before_its_code_is_sent(github: EvilProvider, iss: str) -> None:
    async with opened_github(github.issuer) as provider:
        with pytest.raises(errors.ProviderRefused):
            await provider.external_user(authorization_request(), REDIRECT_URI, "code", iss)

    assert not github.calls


@pytest.mark.parametrize("path", ["/login/oauth", ""])
async def test_response_names_github(github: EvilProvider, path: str) -> None:
    """GitHub itself writes https://github.com/login/oauth."""
    async with opened_github(github.issuer) as provider:
        user = await provider.external_user(authorization_request(), REDIRECT_URI, "code", f"{github.issuer}{path}")

    assert user.issuer == github.issuer


async def test_github_does_not_prove_a_recent_sign_in(github: EvilProvider) -> None:
    request = authorization_request(max_age=0)
    async with opened_github(github.issuer) as provider:
        assert not provider.proves_recent_sign_in
        with pytest.raises(errors.ProviderRefused):
            await provider.authorization_url(request, REDIRECT_URI)
        with pytest.raises(errors.ProviderRefused):
            await provider.external_user(request, REDIRECT_URI, "code", None)

    assert not github.calls
