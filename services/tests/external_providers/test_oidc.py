"""Sign-in with a provider of OpenID Connect that does as it should: what is sent, and what is learned of the user."""

from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from accounts.domain import errors
from accounts.domain.external_providers.provider import ExternalUser, Provider
from support.evil_provider import SUBJECT, EvilProvider, private_key, public_jwk
from support.external_sign_in import REDIRECT_URI, SignIn, authorization_request, later, opened, signed_in


async def test_sign_in_proves_issuer_subject_and_email(sign_in: SignIn, evil: EvilProvider) -> None:
    evil.claims |= {"name": "Lancelot", "preferred_username": "arthur"}

    assert await sign_in() == ExternalUser(evil.issuer, SUBJECT, "lancelot@example.com", True, "Lancelot", 1)


async def test_authorization_url_has_pkce_state_and_nonce(provider: Provider, evil: EvilProvider) -> None:
    evil.metadata["authorization_endpoint"] = f"{evil.issuer}/authorize?tenant=a"
    request = authorization_request(max_age=0)

    url = urlsplit(await provider.authorization_url(request, REDIRECT_URI))

    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    assert len(query.pop("code_challenge")) == 43
    assert query == {
        "tenant": "a",
        "response_type": "code",
        "client_id": "accounts",
        "redirect_uri": REDIRECT_URI,
        "scope": "openid email profile",
        "state": request.state,
        "nonce": request.nonce,
        "code_challenge_method": "S256",
        "max_age": "0",
    }
    assert request.verifier not in url.query


async def test_client_authenticates_with_form_encoded_credentials(evil: EvilProvider) -> None:
    evil.client_id = "a:b c"
    async with opened(evil.issuer, client_id="a:b c", client_secret="päss&+%") as provider:
        await signed_in(provider, evil)

    (call,) = [call for call in evil.calls if call.path == "/token"]
    assert call.headers["authorization"] == f"Basic {b64encode(b'a%3Ab+c:p%C3%A4ss%26%2B%25').decode()}"
    assert not {"client_id", "client_secret"} & call.form.keys()


async def test_client_secret_is_in_the_form_where_the_provider_accepts_only_that(
    sign_in: SignIn, evil: EvilProvider
) -> None:
    evil.metadata["token_endpoint_auth_methods_supported"] = ["private_key_jwt", "client_secret_post"]

    await sign_in()

    call = evil.calls[-2]
    assert (call.form["client_id"], call.form["client_secret"]) == ("accounts", "secret")
    assert "authorization" not in call.headers


async def test_provider_that_accepts_no_secret_is_not_sent_one(sign_in: SignIn, evil: EvilProvider) -> None:
    evil.metadata["token_endpoint_auth_methods_supported"] = ["private_key_jwt"]

    with pytest.raises(errors.ProviderUnavailable):
        await sign_in()

    assert "/token" not in evil.paths()


async def test_public_client_has_no_secret(evil: EvilProvider) -> None:
    async with opened(evil.issuer) as provider:
        assert (await signed_in(provider, evil)).subject == SUBJECT

    assert evil.calls[-2].form["client_id"] == "accounts"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_id_token_may_be_signed_with(sign_in: SignIn, evil: EvilProvider, algorithm: str) -> None:
    evil.algorithm, evil.key = algorithm, private_key(algorithm)
    evil.publish(public_jwk(private_key("ES256", 7), kid="other"), public_jwk(evil.key, kid="1"), "no key", None)

    assert (await sign_in()).subject == SUBJECT


async def test_key_without_kid_is_used_if_it_is_the_only_one(sign_in: SignIn, evil: EvilProvider) -> None:
    evil.publish(public_jwk(evil.key), public_jwk(private_key("RS256"), use="enc"))
    evil.sign = lambda claims: jwt.encode(claims, evil.key, evil.algorithm)

    assert (await sign_in()).subject == SUBJECT


@pytest.mark.parametrize("audience", ["accounts", ["accounts"], ["other", "accounts"]])
async def test_audience_may_be_a_list(sign_in: SignIn, evil: EvilProvider, audience: Any) -> None:
    evil.claims |= {"aud": audience, "azp": "accounts"}

    assert (await sign_in()).subject == SUBJECT


async def test_userinfo_is_asked_only_if_the_id_token_has_no_email(sign_in: SignIn, evil: EvilProvider) -> None:
    await sign_in()
    assert "/userinfo" not in evil.paths()

    evil.claims = {"name": "Lancelot", "email_verified": True}
    evil.userinfo = {"email": "galahad@example.com", "email_verified": False}
    user = await sign_in()

    assert evil.calls[-1].headers["authorization"] == "Bearer access"
    assert (user.email, user.email_verified, user.name) == ("galahad@example.com", False, "Lancelot")


async def test_provider_may_have_no_userinfo_and_no_email(sign_in: SignIn, evil: EvilProvider) -> None:
    evil.claims, evil.metadata = {}, {"userinfo_endpoint": None}

    user = await sign_in()

    assert (user.email, user.email_verified, user.name) == (None, False, "")


@pytest.mark.parametrize(
    ("claim", "verified"),
    [(True, True), ("true", True), (False, False), ("false", False), ("True", False), (1, False), ([True], False)],
)
async def test_email_is_verified_only_if_the_provider_says_so(
    sign_in: SignIn, evil: EvilProvider, claim: Any, verified: Any
) -> None:
    evil.claims["email_verified"] = claim

    assert (await sign_in()).email_verified is verified


async def test_email_without_claim_is_verified_only_for_a_trusted_provider(sign_in: SignIn, evil: EvilProvider) -> None:
    del evil.claims["email_verified"]

    assert not (await sign_in()).email_verified
    async with opened(evil.issuer, trust_email="always") as provider:
        assert (await signed_in(provider, evil)).email_verified
        evil.claims["email"] = "none"
        assert not (await signed_in(provider, evil)).email_verified


@pytest.mark.parametrize(
    ("email", "read"),
    [
        ("Lancelot@EXAMPLE.com", "Lancelot@example.com"),
        ("lancelot@xn--bcher-kva.example", "lancelot@bücher.example"),
        ("\uff4cancelot@example.com", None),  # verified was another mailbox than that of the plain letters
        ("\u200blancelot@example.com", None),  # as above, without what cannot be seen
        ("lancelot", None),
        ("a@example.com\r\nBcc: b@example.com", None),
        ("a" * 300 + "@example.com", None),
        (["lancelot@example.com"], None),
        ("\ud800@example.com", None),
    ],
)
async def test_email_is_read_as_in_our_accounts_or_not_at_all(
    sign_in: SignIn, evil: EvilProvider, email: Any, read: str | None
) -> None:
    evil.claims["email"] = email

    user = await sign_in()

    assert (user.email, user.email_verified) == (read, read is not None)


@pytest.mark.parametrize(
    ("name", "read"), [("  Lancelot ", "Lancelot"), ("x" * 1000, "x" * 100), ("\x00", ""), ({"a": 1}, ""), (None, "")]
)
async def test_name_is_one_that_accounts_can_have(sign_in: SignIn, evil: EvilProvider, name: Any, read: str) -> None:
    evil.claims["name"] = name

    assert (await sign_in()).name == read


@pytest.mark.parametrize(("acr", "level"), [("gold", 2), ("silver", 1), (["gold"], 1), (2, 1), (None, 1)])
async def test_level_is_two_for_the_configured_acr(evil: EvilProvider, acr: Any, level: int) -> None:
    evil.claims["acr"] = acr
    async with opened(evil.issuer, acr="gold,platinum") as provider:
        url = await provider.authorization_url(authorization_request(), REDIRECT_URI)
        assert "acr_values=gold+platinum" in url
        assert (await signed_in(provider, evil)).level == level


async def test_recent_sign_in_is_proven(sign_in: SignIn) -> None:
    assert (await sign_in(authorization_request(max_age=0))).subject == SUBJECT


async def test_iss_of_the_callback_is_optional_unless_it_is_announced(sign_in: SignIn) -> None:
    assert (await sign_in(iss=None)).subject == SUBJECT


async def test_metadata_and_keys_are_fetched_once_an_hour(
    sign_in: SignIn, evil: EvilProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await sign_in()
    assert [evil.paths().count(path) for path in ("/.well-known/openid-configuration", "/jwks")] == [1, 1]

    later(monkeypatch, 3601)
    await sign_in()
    assert [evil.paths().count(path) for path in ("/.well-known/openid-configuration", "/jwks")] == [2, 2]
