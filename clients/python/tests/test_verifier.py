"""Which tokens are accepted."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa

from accounts_client import InvalidToken, IssuerUnavailable, Verifier
from issuer import Issuer, jwk, pem


def encode(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_verified_token_has_its_claims_with_their_types(issuer: Issuer, verifier: Verifier) -> None:
    user_id, session_id, now = uuid.uuid4(), uuid.uuid4(), int(time.time())
    groups = {"12": "admin", "7": "member", "8": "emperor"}
    raw = issuer.token(
        sub=str(user_id), sid=str(session_id), scope="account groups", groups=groups, auth_time=now - 60, exp=now + 100
    )

    token = await verifier.verify(raw)

    assert (token.user_id, token.session_id, token.client_id) == (user_id, session_id, "accounts")
    assert token.scopes == {"account", "groups"}
    assert token.groups == {12: "admin", 7: "member"}  # a role of a later version grants nothing
    assert token.auth_time == datetime.fromtimestamp(now - 60, UTC)
    assert token.expires_at == datetime.fromtimestamp(now + 100, UTC)
    assert (token.acr, token.amr, token.raw) == ("aal1", ("pwd",), raw)
    assert raw not in repr(token)


async def test_token_of_a_service_account_has_no_claims_of_people(issuer: Issuer, verifier: Verifier) -> None:
    account = str(uuid.uuid4())
    raw = issuer.token(sub=account, client_id=account, scope="groups:read", auth_time=None, acr=None, amr=None)

    token = await verifier.verify(raw)

    assert (token.client_id, token.auth_time, token.acr, token.amr, token.groups) == (account, None, None, (), None)
    assert token.has_scope("groups:read")
    assert not token.has_scope("groups:write")


async def test_scope_account_implies_all_others(issuer: Issuer, verifier: Verifier) -> None:
    assert (await verifier.verify(issuer.token(scope="account"))).has_scope("users:read")
    assert not (await verifier.verify(issuer.token(scope=None))).has_scope("users:read")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example.com"},
        {"iss": None},
        {"aud": "others"},
        {"aud": ["others"]},
        {"aud": None},
        {"exp": int(time.time()) - 31},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 10**30},
        {"iat": int(time.time()) + 86_400},
        {"iat": None},
        {"nbf": int(time.time()) + 86_400},
        {"sub": None},
        {"sub": "arthur"},
        {"sub": 5},
        {"sid": None},
        {"sid": "s"},
        {"client_id": None},
        {"client_id": {}},
        {"scope": ["account"]},
        {"groups": ["12"]},
        {"groups": {"twelve": "admin"}},
        {"groups": {"12": ["admin"]}},
        {"auth_time": "now"},
        {"acr": 1},
        {"amr": 1},
        {"amr": [1]},
    ],
    ids="-".join,
)
async def test_claims_that_are_missing_wrong_or_malformed_are_refused(
    issuer: Issuer, verifier: Verifier, changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.token(**changes))


async def test_clocks_may_differ_by_the_leeway(issuer: Issuer, verifier: Verifier) -> None:
    now = int(time.time())

    await verifier.verify(issuer.token(exp=now - 20, iat=now + 20))


@pytest.mark.parametrize("typ", ["JWT", "id+jwt", "", None, 5, ["at+jwt"]])
async def test_tokens_of_another_kind_are_refused(issuer: Issuer, verifier: Verifier, typ: Any) -> None:
    """As ID tokens, which the same keys may sign."""
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.token(header={"typ": typ}))


@pytest.mark.parametrize("typ", ["at+JWT", "application/at+jwt"])
async def test_type_of_access_tokens_may_be_written_in_all_forms(issuer: Issuer, verifier: Verifier, typ: str) -> None:
    await verifier.verify(issuer.token(header={"typ": typ}))


async def test_unsigned_token_is_refused(issuer: Issuer, verifier: Verifier) -> None:
    for alg in ("none", "None", "NONE", ""):
        header = encode({"alg": alg, "typ": "at+jwt", "kid": "first"})
        with pytest.raises(InvalidToken):
            await verifier.verify(f"{header}.{encode(issuer.claims())}.")


async def test_public_key_is_no_secret(issuer: Issuer, verifier: Verifier) -> None:
    """A token with HS256, signed by the public key, as it is published or as text."""
    private = issuer.keys["first"]
    for secret in (pem(private), json.dumps(jwk(private, "first")).encode()):
        signed = f"{encode({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'first'})}.{encode(issuer.claims())}"
        signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
        with pytest.raises(InvalidToken):
            await verifier.verify(f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


async def test_another_key_with_the_same_id_is_refused(issuer: Issuer, verifier: Verifier) -> None:
    await verifier.verify(issuer.token())
    issuer.keys["first"] = generate_private_key(SECP256R1())

    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.token())


async def test_key_in_the_tokens_header_is_ignored(issuer: Issuer, verifier: Verifier) -> None:
    forger = generate_private_key(SECP256R1())
    header = {"typ": "at+jwt", "kid": "first", "jwk": jwk(forger, "first"), "jku": "http://127.0.0.1/keys"}

    with pytest.raises(InvalidToken):
        await verifier.verify(jwt.encode(issuer.claims(), forger, "ES256", header))


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
async def test_other_key_types_verify_by_their_own_algorithm(
    issuer: Issuer, verifier: Verifier, algorithm: str
) -> None:
    key: Any = Ed25519PrivateKey.generate() if algorithm == "EdDSA" else generate_rsa(65537, 2048)
    issuer.entries = [jwk(key, "k", algorithm)]
    header = {"typ": "at+jwt", "kid": "k"}

    await verifier.verify(jwt.encode(issuer.claims(), key, algorithm, header))
    if algorithm == "RS256":
        for other in ("RS512", "PS256"):
            with pytest.raises(InvalidToken):
                await verifier.verify(jwt.encode(issuer.claims(), key, other, header))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "….….…",
        "e30.e30.",
        "\ud800.a.b",
        "x" * 100_000,
        f"{encode([])}.e30.",
        f"{encode({'kid': 5, 'alg': 'ES256'})}.e30.",
        f"{encode({'alg': 'ES256'})}.e30.",
        f"{encode({'kid': ['first'], 'alg': 'ES256'})}.e30.",
        f"{base64.urlsafe_b64encode(b'[' * 9000).decode().rstrip('=')}.e30.",
    ],
    ids=lambda token: ascii(token)[:20],
)
async def test_garbage_is_an_invalid_token_and_no_other_error(verifier: Verifier, token: str) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_critical_headers_that_are_unknown_are_refused(issuer: Issuer, verifier: Verifier) -> None:
    private = issuer.keys["first"]
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "first", "crit": ["exp2"], "exp2": 5}
    signed = f"{encode(header)}.{encode(issuer.claims())}"
    algorithm = jwt.get_algorithm_by_name("ES256")
    signature = base64.urlsafe_b64encode(algorithm.sign(signed.encode(), private)).rstrip(b"=").decode()

    with pytest.raises(InvalidToken):
        await verifier.verify(f"{signed}.{signature}")


async def test_token_that_was_verified_before_expires(
    issuer: Issuer, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.token(exp=int(time.time()) + 60)
    await verifier.verify(token)
    monkeypatch.setattr("accounts_client.verifier.time", lambda: time.time() + 91)

    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_keys_that_verify_nothing_are_ignored(issuer: Issuer, verifier: Verifier) -> None:
    private, other = issuer.keys["first"], generate_private_key(SECP384R1())
    good = jwk(private, "first")
    weak = generate_rsa(65537, 1024)  # noqa: S505  # that is refused
    issuer.entries = [
        None,
        5,
        "first",
        [],
        {},
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"},
        {"kty": "EC", "kid": "broken", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "kid": "types", "crv": 5, "x": None, "y": []},
        jwk(other, "curve", "ES384"),
        jwk(private, "use") | {"use": "enc"},
        jwk(private, "alg") | {"alg": "HS256"},
        jwk(weak, "weak", "RS256"),
        {name: value for name, value in good.items() if name != "kid"},
        good,
        jwk(generate_private_key(SECP256R1()), "first"),  # the first one counts
    ]

    await verifier.verify(issuer.token())
    for kid in ("secret", "broken", "types", "curve", "use", "alg", "weak"):
        issuer.keys[kid] = private
        with pytest.raises(InvalidToken):
            await verifier.verify(issuer.token(kid))


async def test_issuer_without_keys_is_not_available(issuer: Issuer, verifier: Verifier) -> None:
    """It signs with SECRET_KEY only, so no token can be verified: that is not the caller's fault."""
    issuer.keys = {}
    token = jwt.encode(issuer.claims(), "x" * 32, "HS256", {"typ": "at+jwt", "kid": "first"})

    with pytest.raises(IssuerUnavailable, match="SIGNING_KEY"):
        await verifier.verify(token)
