"""ID tokens and callbacks that do not prove who the user is: each is refused with one code, without a reason."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from accounts.domain import errors
from support.evil_provider import SUBJECT, EvilProvider, Json, answer, private_key, public_jwk
from support.external_sign_in import SignIn, authorization_request, later

MINUTES = 600
DAY = 24 * 60 * 60  # after the collection of the tests, which may take a while to run
Sign = Callable[[EvilProvider], Callable[[Json], str]]


def part(value: Any) -> str:
    return urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


def with_public_key_as_secret(evil: EvilProvider) -> Callable[[Json], str]:
    """Sign with HS256, by the public key, which everyone has."""
    pem = evil.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(claims: Json) -> str:
        text = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': '1'})}.{part(claims)}"
        return f"{text}.{part(hmac.digest(pem, text.encode(), hashlib.sha256))}"

    return sign


def headed(**header: Any) -> Sign:
    return lambda evil: lambda claims: jwt.encode(claims, evil.key, evil.algorithm, header)


def payload(text: bytes) -> Sign:
    return lambda evil: lambda _: jwt.api_jws.encode(text, evil.key, evil.algorithm, {"kid": "1"})


def cut(evil: EvilProvider) -> Callable[[Json], str]:
    return lambda claims: evil.token(claims)[:-4]


def changed(evil: EvilProvider) -> Callable[[Json], str]:
    """Replace the claims of a token that is signed."""

    def sign(claims: Json) -> str:
        header, _, signature = evil.token(claims).split(".")
        return f"{header}.{part(claims | {'sub': '1'})}.{signature}"

    return sign


FORGED: dict[str, Sign] = {
    "unsigned": lambda _: lambda claims: jwt.encode(claims, "", "none", {"kid": "1"}),
    "unsigned, in capitals": lambda _: lambda claims: f"{part({'alg': 'NONE', 'kid': '1'})}.{part(claims)}.",
    "by the public key": with_public_key_as_secret,
    "by the client secret": lambda _: lambda claims: jwt.encode(claims, "secret" * 8, "HS256", {"kid": "1"}),
    "by another key of the same kid": lambda _: (
        lambda claims: jwt.encode(claims, private_key("ES256", 9), "ES256", {"kid": "1"})
    ),
    "by a key in its header": lambda _: (
        lambda claims: jwt.encode(
            claims, private_key("ES256", 9), "ES256", {"kid": "1", "jwk": public_jwk(private_key("ES256", 9))}
        )
    ),
    "by another algorithm": lambda _: lambda claims: jwt.encode(claims, private_key("RS256"), "RS256", {"kid": "1"}),
    "by an algorithm that is not accepted": lambda _: (
        lambda claims: jwt.encode(claims, private_key("RS256"), "RS512", {"kid": "1"})
    ),
    "with an unknown kid": headed(kid="2"),
    "with a kid that is no text": lambda _: lambda claims: f"{part({'alg': 'ES256', 'kid': ['1']})}.{part(claims)}.AA",
    "with an algorithm that is no text": lambda _: lambda claims: f"{part({'alg': ['ES256']})}.{part(claims)}.AA",
    "with an unknown critical header": headed(kid="1", crit=["exp"], exp=1),
    "cut": cut,
    "changed": changed,
    "empty": lambda _: lambda _: "",
    "no token": lambda _: lambda _: "a.b.c",
    "no text": lambda _: lambda _: cast("str", 1),
    "not ASCII": lambda _: lambda _: "\ud800.\x00.é",
    "of no JSON": payload(b"{"),
    "of a list": payload(b"[]"),
    "of deep JSON": payload(b'{"iss":' + b"[" * 200_000),
    "of a long number": payload(b'{"exp":' + b"9" * 5_000 + b"}"),
    "with a deep header": lambda _: lambda claims: f"{part(b'{"alg":' + b'[' * 200_000)}.{part(claims)}.AA",
}
ABSENT = object()
CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://accounts.google.com"},
    "the issuer with a slash": {"iss": "/"},  # added below
    "no issuer": {"iss": ABSENT},
    "an issuer in a list": {"iss": []},
    "another audience": {"aud": "other"},
    "an empty audience": {"aud": []},
    "no audience": {"aud": ABSENT},
    "an audience that is no text": {"aud": {"accounts": 1}},
    "several audiences without azp": {"aud": ["accounts", "other"]},
    "azp of another client": {"azp": "other"},
    "azp that is null": {"azp": None},
    "an end in the past": {"exp": lambda: int(time.time()) - MINUTES},
    "no end": {"exp": ABSENT},
    "an end that is no number": {"exp": "9999999999"},
    "an end that is true": {"exp": True},
    "an end that is infinite": {"exp": float("inf")},
    "an end that is NaN": {"exp": float("nan")},
    "an issue in the future": {"iat": lambda: int(time.time()) + DAY},
    "no issue": {"iat": ABSENT},
    "an issue that is no number": {"iat": []},
    "not valid before": {"nbf": lambda: int(time.time()) + DAY},
    "another nonce": {"nonce": "other"},
    "no nonce": {"nonce": ABSENT},
    "a nonce in a list": {"nonce": []},
    "a nonce of half a character": {"nonce": "\ud800"},
    "no subject": {"sub": ABSENT},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 24400320},
    "a long subject": {"sub": "1" * 256},
    "a subject with NUL": {"sub": "1\x00"},
    "a subject of half a character": {"sub": "\ud800"},
}


@pytest.mark.parametrize("case", FORGED)
async def test_forged_token_is_refused(sign_in: SignIn, evil: EvilProvider, case: str) -> None:
    evil.publish(*evil.keys, public_jwk(private_key("RS256"), kid="rsa"))
    assert (await sign_in()).subject == SUBJECT
    evil.sign = FORGED[case](evil)

    with pytest.raises(errors.ProviderRefused) as refusal:
        await sign_in()

    assert refusal.value.reason is None


@pytest.mark.parametrize("case", CLAIMS)
async def test_token_for_something_else_is_refused(sign_in: SignIn, evil: EvilProvider, case: str) -> None:
    other = CLAIMS[case] if case != "the issuer with a slash" else {"iss": f"{evil.issuer}/"}
    other = {name: value() if callable(value) else value for name, value in other.items()}
    evil.change = lambda claims: {name: value for name, value in (claims | other).items() if value is not ABSENT}

    with pytest.raises(errors.ProviderRefused):
        await sign_in()


async def test_clocks_may_differ_by_a_minute(sign_in: SignIn, evil: EvilProvider) -> None:
    evil.claims |= {"exp": int(time.time()) - 50, "iat": int(time.time()) + 50}

    assert (await sign_in()).subject == SUBJECT


@pytest.mark.parametrize(
    "auth_time", [None, 0, "1", True, 2**40, float("inf"), float("nan"), pytest.param(10**400, id="long")]
)
async def test_old_sign_in_at_the_provider_does_not_prove_a_recent_one(
    sign_in: SignIn, evil: EvilProvider, auth_time: Any
) -> None:
    evil.claims["auth_time"] = auth_time

    assert (await sign_in()).subject == SUBJECT
    with pytest.raises(errors.ProviderRefused):
        await sign_in(authorization_request(max_age=300))


async def test_response_of_another_provider_is_refused_before_its_code_is_sent(
    sign_in: SignIn, evil: EvilProvider
) -> None:
    """Mix-up (RFC 9207): the code belongs to an honest provider, and this one would learn it."""
    for iss in ("https://honest.example.com", f"{evil.issuer}/", ""):
        with pytest.raises(errors.ProviderRefused):
            await sign_in(iss=iss)
    assert "/token" not in evil.paths()


async def test_iss_is_required_where_the_provider_announces_it(sign_in: SignIn, evil: EvilProvider) -> None:
    evil.metadata["authorization_response_iss_parameter_supported"] = True

    assert (await sign_in()).subject == SUBJECT
    with pytest.raises(errors.ProviderRefused):
        await sign_in(iss=None)


async def test_code_is_of_use_once_and_with_its_verifier(sign_in: SignIn, evil: EvilProvider) -> None:
    await sign_in()
    with pytest.raises(errors.ProviderRefused):
        await sign_in(code="code-0")

    evil.codes["stolen"] = {"code_challenge": "another", "redirect_uri": "-", "nonce": "-"}
    with pytest.raises(errors.ProviderRefused):
        await sign_in(code="stolen")


@pytest.mark.parametrize("sub", ["1", None, 24400320, [SUBJECT]])
async def test_userinfo_about_another_user_is_refused(sign_in: SignIn, evil: EvilProvider, sub: Any) -> None:
    evil.claims = {}
    evil.userinfo = {"sub": sub, "email": "king.arthur@example.com", "email_verified": True}

    with pytest.raises(errors.ProviderRefused):
        await sign_in()


@pytest.mark.parametrize("token", ["", "a b", "a\r\nHost: b", "é", None, 1, "a" * 20_000])
async def test_access_token_that_is_none_is_not_sent(sign_in: SignIn, evil: EvilProvider, token: Any) -> None:
    evil.claims = {}
    evil.tokens = {"access_token": token}

    assert (await sign_in()).email is None
    assert "/userinfo" not in evil.paths()


async def test_keys_are_fetched_again_for_an_unknown_kid_once_a_minute(
    sign_in: SignIn, evil: EvilProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in()
    evil.rotate("2")
    assert (await sign_in()).subject == SUBJECT
    evil.rotate("3")
    for _ in range(3):
        with pytest.raises(errors.ProviderRefused):
            await sign_in()
    assert evil.paths().count("/jwks") == 2

    later(monkeypatch, 61)
    assert (await sign_in()).subject == SUBJECT


async def test_key_that_is_withdrawn_between_authorize_and_callback_is_refused(
    sign_in: SignIn, evil: EvilProvider
) -> None:
    evil.publish()

    with pytest.raises(errors.ProviderRefused):
        await sign_in()


def short(**members: Any) -> Json:
    return public_jwk(rsa.generate_private_key(65537, 1024), kid="1", **members)  # noqa: S505  # on purpose


JWKS: dict[str, Callable[[EvilProvider], list[Any]]] = {
    "two of one kid": lambda evil: [*evil.keys, public_jwk(private_key("ES256", 9), kid="1")],
    "one for encryption": lambda evil: [evil.keys[0] | {"use": "enc"}],
    "one that may not verify": lambda evil: [evil.keys[0] | {"key_ops": ["encrypt"]}],
    "one for another algorithm": lambda evil: [evil.keys[0] | {"alg": "ES384"}],
    "one with members of the wrong type": lambda _: [{"kty": ["EC"], "kid": {}, "use": [], "key_ops": 1, "crv": []}],
    "one of another curve": lambda evil: [evil.keys[0] | {"crv": "P-384"}],
    "one off the curve": lambda evil: [evil.keys[0] | {"y": evil.keys[0]["x"]}],
    "one with coordinates of the wrong type": lambda evil: [evil.keys[0] | {"x": 1}],
    "one without coordinates": lambda _: [{"kty": "EC", "crv": "P-256", "kid": "1"}],
    "no object": lambda _: ["key", None, 1, []],
}


@pytest.mark.parametrize("case", JWKS)
async def test_key_that_fits_no_token_is_refused(sign_in: SignIn, evil: EvilProvider, case: str) -> None:
    evil.publish(*JWKS[case](evil))

    with pytest.raises(errors.ProviderRefused):
        await sign_in()


@pytest.mark.parametrize(
    ("modulus", "reason"),
    [(None, "Error"), (1, "Error"), ("A", "Error"), ("_" * 1401, "too long"), ("_" * 9**5, "too long")],
)
async def test_modulus_of_an_rsa_key_is_neither_missing_nor_huge(
    sign_in: SignIn, evil: EvilProvider, caplog: pytest.LogCaptureFixture, modulus: Any, reason: str
) -> None:
    evil.algorithm, evil.key = "RS256", private_key("RS256")
    evil.publish({"kty": "RSA", "kid": "1", "e": "AQAB", "n": modulus})

    with pytest.raises(errors.ProviderRefused):
        await sign_in()

    assert reason in caplog.text


async def test_rsa_key_of_1024_bits_is_refused(sign_in: SignIn, evil: EvilProvider) -> None:
    evil.publish(short())
    evil.sign = lambda claims: f"{part({'alg': 'RS256', 'kid': '1'})}.{part(claims)}.AA"

    with pytest.raises(errors.ProviderRefused):
        await sign_in()


async def test_token_without_kid_needs_the_only_key(sign_in: SignIn, evil: EvilProvider) -> None:
    evil.publish(*evil.keys, public_jwk(private_key("ES256", 9), kid="9"))
    evil.sign = headed()(evil)

    with pytest.raises(errors.ProviderRefused):
        await sign_in()


async def test_token_endpoint_without_id_token_is_refused(sign_in: SignIn, evil: EvilProvider) -> None:
    evil.answers["/token"] = answer({"access_token": "access", "token_type": "Bearer"})

    with pytest.raises(errors.ProviderRefused):
        await sign_in()
