"""Malformed responses are refused with a stable code, in time that does not grow beyond the limit of their size."""

import time
from typing import Any

import cbor2
import pytest

from support.authenticator import Authenticator, b64
from support.passkeys import MINE, PasskeyUser, code, present, sign_in_options, with_passkey
from support.people import World

NESTED = b"\x81" * 8000 + b"\x00"
BINARY = {
    "empty": b"",
    "nested": NESTED,
    "length of an exabyte": b"\x5b\x0f" + bytes(7),
    "array of an exabyte": b"\x9b\x0f" + bytes(7),
    "colliding keys": cbor2.dumps({number * (2**61 - 1): 0 for number in range(1, 600)}),
    "pattern": cbor2.dumps(cbor2.CBORTag(35, "(a*)*" * 1500)),
    "power of two": cbor2.dumps(cbor2.CBORTag(5, [2**62, 3])),
    "no map": cbor2.dumps([1, 2]),
    "no statement": cbor2.dumps({"fmt": "none", "authData": bytes(37)}),
    "unknown format": cbor2.dumps({"fmt": "evil", "attStmt": {}, "authData": bytes(37)}),
    "numbers": cbor2.dumps({"fmt": 1, "attStmt": 2, "authData": 3}),
    "key of another kind": cbor2.dumps(
        {"fmt": "none", "attStmt": {}, "authData": 37 * b"\x45" + 18 * b"\x00" + b"\x04"}
    ),
}
TEXTS: list[Any] = [None, 7, [], {}, "", "*", "é", "x" * 20_000]
JSON: list[Any] = [
    {},
    {"response": None},
    {"id": 7, "rawId": [], "type": {}, "response": []},
    {"type": "public-key", "id": "AA", "rawId": "AA", "response": {"clientDataJSON": "AA"}},
]
CLIENT_DATA = [b"", b"null", b"[]", b"{}", b'{"challenge": 7}', b'{"challenge": "AA"}', b"\xff", b"[" * 8000]


async def answer(world: World, field: str, value: object) -> dict[str, Any]:
    """The answer of a real authenticator with one field replaced."""
    arthur = await with_passkey(world)
    return arthur.key.get(await sign_in_options(world), **{field: value})


@pytest.mark.parametrize("field", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
@pytest.mark.parametrize("value", TEXTS, ids=lambda value: str(value)[:9])
async def test_malformed_field_is_refused(world: World, field: str, value: object) -> None:
    passkey = await answer(world, field, value)

    assert code(await present(world, passkey)) == (400, "BAD_PASSKEY")


@pytest.mark.parametrize("passkey", JSON, ids=range(len(JSON)))
async def test_malformed_response_is_refused(world: World, passkey: dict[str, Any]) -> None:
    user = await world.user("arthur")
    arthur = PasskeyUser(world, user, await world.sign_in(user))

    refusals = [await present(world, passkey), await arthur.post(MINE, {"name": "X", "passkey": passkey})]

    assert [*map(code, refusals)] == 2 * [(400, "BAD_PASSKEY")]


@pytest.mark.parametrize("client_data", CLIENT_DATA, ids=range(len(CLIENT_DATA)))
async def test_malformed_client_data_is_refused(world: World, client_data: bytes) -> None:
    passkey = await answer(world, "clientDataJSON", b64(client_data))

    assert code(await present(world, passkey)) == (400, "BAD_PASSKEY")


@pytest.mark.parametrize("name", BINARY)
async def test_malformed_binary_data_is_refused_at_once(world: World, name: str) -> None:
    user = await world.user("arthur")
    arthur = PasskeyUser(world, user, await world.sign_in(user))
    key = Authenticator()
    await arthur.post(MINE, {"name": "X", "passkey": key.create(await arthur.options(), attestationObject="AA")})
    created = key.create(await arthur.options(), attestationObject=b64(BINARY[name]))

    began = time.monotonic()
    refused = await arthur.post(MINE, {"name": "X", "passkey": created})

    assert code(refused) == (400, "BAD_PASSKEY")
    assert time.monotonic() - began < 2  # as long as its parsers take for a hundred times the size


@pytest.mark.parametrize("field", ["id", "rawId", "type"])
@pytest.mark.parametrize("value", [*TEXTS, "AA"], ids=lambda value: str(value)[:9])
async def test_malformed_credential_is_refused(world: World, field: str, value: object) -> None:
    arthur = await with_passkey(world)
    passkey = arthur.key.get(await sign_in_options(world)) | {field: value}

    assert code(await present(world, passkey)) == (400, "BAD_PASSKEY")
