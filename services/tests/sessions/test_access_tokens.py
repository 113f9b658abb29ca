"""Access tokens: key rotation, algorithms, claims and the published key set."""

import hmac
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.utils import base64url_encode
from pydantic import SecretStr

from accounts import settings
from accounts.domain.sessions.access_tokens import AUDIENCE, KeyRing, key_ring
from accounts.settings import get_settings
from support.people import World
from support.processes import SECRET

USER, SESSION = uuid.uuid4(), uuid.uuid4()
OLD, NEW = "the old secret which is long enough", "the new secret which is long enough"
PAIRS: dict[str, Callable[[], Any]] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
}


def pem(algorithm: str) -> str:
    encoded: bytes = PAIRS[algorithm]().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return encoded.decode()


def ring(secret_key: str = OLD, signing_key: str = "", **changes: Any) -> KeyRing:
    secrets = {"secret_key": SecretStr(secret_key), "signing_key": SecretStr(signing_key)}
    return key_ring(get_settings().model_copy(update=secrets | changes))


def test_signed_token_verifies() -> None:
    claims = ring().verify(ring().sign(USER, SESSION))

    assert claims is not None
    assert (claims.user_id, claims.session_id) == (USER, SESSION)


def test_rotation_of_secrets_keeps_tokens_valid() -> None:
    before, during, after = ring(OLD), ring(f"{NEW}, {OLD}"), ring(NEW)
    old, new = before.sign(USER, SESSION), during.sign(USER, SESSION)

    assert during.verify(old)
    assert during.verify(new)
    assert after.verify(new)
    assert after.verify(old) is None


def test_change_from_a_secret_to_a_key_pair_keeps_tokens_valid() -> None:
    both = ring(OLD, pem("EdDSA"))

    assert both.verify(ring(OLD).sign(USER, SESSION))
    assert jwt.get_unverified_header(both.sign(USER, SESSION))["alg"] == "EdDSA"


@pytest.mark.parametrize("algorithm", PAIRS)
def test_published_keys_verify_tokens(algorithm: str) -> None:
    keys = ring(OLD, pem(algorithm) + pem("EdDSA"))
    token = keys.sign(USER, SESSION)

    published = jwt.PyJWKSet.from_dict(keys.jwks())
    key = published[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, audience=AUDIENCE, issuer="http://localhost:8000")

    assert len(published.keys) == 2
    assert key.algorithm_name == algorithm
    assert claims["sub"] == str(USER)
    assert not any(name in str(keys.jwks()) for name in ("'d'", "'k'", OLD))


@pytest.mark.parametrize("algorithm", PAIRS)
def test_token_signed_with_the_public_key_is_rejected(algorithm: str) -> None:
    keys = ring(OLD, pem(algorithm))
    genuine = keys.sign(USER, SESSION)
    header, claims = jwt.get_unverified_header(genuine), jwt.decode(genuine, options={"verify_signature": False})

    for name in ("HS256", "none"):
        secret = "" if name == "none" else str(keys.jwks()["keys"][0])
        forged = jwt.encode(claims, secret, name, {"kid": header["kid"]})
        assert keys.verify(forged) is None


@pytest.mark.parametrize(
    "change", [{"aud": "other"}, {"iss": "https://evil.example"}, {"exp": 1}, {"sid": "x"}, {"sub": "x"}, {"sid": None}]
)
def test_token_with_a_wrong_or_missing_claim_is_rejected(change: dict[str, Any]) -> None:
    keys = ring()
    genuine = keys.sign(USER, SESSION)
    claims = jwt.decode(genuine, options={"verify_signature": False}) | change
    changed = {name: value for name, value in claims.items() if value is not None}

    assert keys.verify(jwt.encode(changed, OLD, "HS256", jwt.get_unverified_header(genuine))) is None


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "é", jwt.encode({}, OLD), jwt.encode({}, OLD, headers={"kid": "x"})]
)
def test_malformed_or_foreign_token_is_rejected(token: str) -> None:
    assert ring().verify(token) is None


async def test_jwks_route_publishes_public_keys(world: World) -> None:
    assert (await world.client.get("/.well-known/jwks.json")).json() == {"keys": []}

    world.state["keys"] = ring(OLD, pem("EdDSA"))
    response = await world.client.get("/.well-known/jwks.json")

    (key,) = response.json()["keys"]
    assert (key["kty"], key["crv"], key["use"]) == ("OKP", "Ed25519", "sig")
    assert response.headers.get_list("Cache-Control") == ["public, max-age=300"]


@pytest.mark.parametrize(
    ("secret_key", "signing_key"), [(f"{NEW},{OLD}", ""), (OLD, pem("ES256")), (OLD, pem("ES256") + pem("EdDSA"))]
)
def test_new_key_verifies_and_is_published_before_it_signs(secret_key: str, signing_key: str) -> None:
    now = datetime.now(UTC)
    before = ring(secret_key, signing_key, keys_rotate_at=now + timedelta(minutes=1))
    after = ring(secret_key, signing_key, keys_rotate_at=now - timedelta(minutes=1))
    old, new = before.sign(USER, SESSION), after.sign(USER, SESSION)

    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    assert all(keys.verify(token) for keys in (before, after) for token in (old, new))
    assert before.jwks() == after.jwks()


def test_first_key_pair_with_a_new_secret_signs_nothing_that_earlier_processes_refuse() -> None:
    keys = ring(f"{NEW},{OLD}", pem("ES256"), keys_rotate_at=datetime.now(UTC) + timedelta(minutes=1))

    assert ring(OLD).verify(keys.sign(USER, SESSION))


def test_key_begins_to_sign_in_running_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(hours=1)

    keys = ring(f"{NEW},{OLD}", keys_rotate_at=datetime.now(UTC) + timedelta(minutes=30))
    before = jwt.get_unverified_header(keys.sign(USER, SESSION))["kid"]

    monkeypatch.setattr(settings, "datetime", Later)

    assert jwt.get_unverified_header(keys.sign(USER, SESSION))["kid"] != before


def test_only_key_signs_at_any_time() -> None:
    keys = ring(OLD, keys_rotate_at=datetime.now(UTC) + timedelta(minutes=1))

    assert keys.verify(keys.sign(USER, SESSION))
    assert get_settings().model_copy(update={"keys_rotate_at": datetime.now(UTC)}).secret_keys == [SECRET]


def test_secret_derives_tokens_once_it_signs() -> None:
    def secrets(at: datetime) -> list[str]:
        changes = {"secret_key": SecretStr(f"{NEW},{OLD}"), "keys_rotate_at": at}
        return get_settings().model_copy(update=changes).secret_keys

    assert secrets(datetime.now(UTC) + timedelta(minutes=1)) == [OLD, NEW]
    assert secrets(datetime.now(UTC)) == [NEW, OLD]


@pytest.mark.parametrize("algorithm", [*PAIRS, "HS256"])
def test_access_token_has_the_claims_of_rfc_9068(algorithm: str) -> None:
    keys = ring(OLD, "" if algorithm == "HS256" else pem(algorithm))
    token = keys.sign(USER, SESSION, ["account", "groups"], auth_time=1)
    claims = jwt.decode(token, options={"verify_signature": False})

    assert jwt.get_unverified_header(token) == {
        "alg": algorithm,
        "typ": "at+jwt",
        "kid": jwt.get_unverified_header(token)["kid"],
    }
    assert claims == {
        "iss": "http://localhost:8000",
        "aud": "accounts",
        "sub": str(USER),
        "client_id": "accounts",
        "sid": str(SESSION),
        "jti": claims["jti"],
        "iat": claims["iat"],
        "exp": claims["iat"] + 900,
        "scope": "account groups",
        "auth_time": 1,
    }
    verified = keys.verify(token)
    assert verified is not None
    assert verified.scopes == {"account", "groups"}


NEW_CLAIMS = ("client_id", "scope")


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "application/at+jwt"}])
def test_token_of_an_earlier_release_stays_valid(header: dict[str, str]) -> None:
    keys = ring()
    genuine = keys.sign(USER, SESSION)
    claims = jwt.decode(genuine, options={"verify_signature": False})
    earlier = {name: value for name, value in claims.items() if name not in NEW_CLAIMS}

    token = jwt.encode(earlier, OLD, "HS256", {"kid": jwt.get_unverified_header(genuine)["kid"]} | header)

    verified = keys.verify(token)
    assert verified is not None
    assert verified.scopes == {"account"}


@pytest.mark.parametrize("kind", ["id_token", "secevent+jwt", "logout+jwt", 7])
def test_jwt_of_another_type_is_no_access_token(kind: Any) -> None:
    keys = ring()
    genuine = keys.sign(USER, SESSION)
    claims = jwt.decode(genuine, options={"verify_signature": False})
    header, body, _ = genuine.split(".")
    header = base64url_encode(json.dumps(jwt.get_unverified_header(genuine) | {"typ": kind}).encode()).decode()
    signature = base64url_encode(hmac.digest(OLD.encode(), f"{header}.{body}".encode(), "sha256")).decode()

    assert claims["aud"] == AUDIENCE
    assert keys.verify(genuine)
    assert keys.verify(f"{header}.{body}.{signature}") is None


async def test_sign_in_and_refresh_say_when_and_how_the_user_signed_in(world: World) -> None:
    arthur = await world.user("arthur")
    first = (await world.login(arthur)).json()
    await world.sql("UPDATE user_session SET authenticated_at = authenticated_at - interval '1 hour'")
    second = (await world.client.post("/auth/jwt/refresh", data=first)).json()

    before, after = (jwt.decode(each["access_token"], options={"verify_signature": False}) for each in (first, second))
    assert abs(before["auth_time"] - before["iat"]) <= 60
    assert after["auth_time"] == before["auth_time"] - 3600
    for claims in (before, after):
        assert (claims["acr"], claims["amr"], claims["scope"]) == ("aal1", ["pwd"], "account")
        assert "groups" not in claims


@pytest.mark.parametrize(("ahead", "valid"), [(0, True), (5, True), (25, True), (60, False)])
def test_token_of_a_host_whose_clock_is_ahead_is_valid_for_a_small_skew(ahead: int, *, valid: bool) -> None:
    keys = ring(OLD)
    genuine = keys.sign(USER, SESSION)
    claims = jwt.decode(genuine, options={"verify_signature": False})
    token = jwt.encode(claims | {"iat": claims["iat"] + ahead}, OLD, "HS256", jwt.get_unverified_header(genuine))

    assert (keys.verify(token) is not None) is valid


def test_token_is_invalid_as_soon_as_it_has_expired() -> None:
    keys = ring(OLD)
    genuine = keys.sign(USER, SESSION)
    claims = jwt.decode(genuine, options={"verify_signature": False})
    token = jwt.encode(claims | {"exp": claims["iat"] - 1}, OLD, "HS256", jwt.get_unverified_header(genuine))

    assert keys.verify(token) is None
