"""A provider that is absent, slow, broken or hostile: it costs a sign-in with it, and nothing else."""

import asyncio
import gzip
import json
import logging
import time
from typing import Any

import pytest

from accounts.domain import errors, http_client
from accounts.domain.external_providers import connection
from accounts.domain.external_providers.provider import Provider
from support.evil_provider import SUBJECT, EvilProvider, Raw, Write, answer, evil_provider, response
from support.external_sign_in import REDIRECT_URI, SignIn, authorization_request, later, opened, signed_in
from support.processes import free_port

METADATA = "/.well-known/openid-configuration"
ENOUGH = 0.3  # seconds for a request in a test
CANARY = "lancelot-and-guinevere"


def endless(write: Write) -> None:
    write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        write(b"2000\r\n" + b" " * 0x2000 + b"\r\n")


def headers_without_end(write: Write) -> None:
    write(b"HTTP/1.1 200 OK\r\n")
    while True:
        write(b"X: " + b"x" * 1000 + b"\r\n")


WRONG: dict[str, Raw] = {
    "a server error": answer({"keys": []}, "500 Internal Server Error"),
    "no such page": answer({}, "404 Not Found"),
    "too many requests": answer({}, "429 Too Many Requests"),
    "a redirect": answer({}, "302 Found", "Location: /jwks"),
    "a permanent redirect": answer({}, "308 Permanent Redirect", "Location: /token"),
    "a page": lambda write: write(response(f"<html>{CANARY}".encode())),
    "nothing in it": lambda write: write(response(b"")),
    "a list": answer([CANARY]),
    "a text": answer(CANARY),
    "null": answer(None),
    "deep JSON": lambda write: write(response(b"[" * 200_000)),
    "deep objects": lambda write: write(response(b'{"a":' * 80_000)),
    "a long number": lambda write: write(response(b"9" * 10_000)),
    "bytes": lambda write: write(response(b"\xff\xfe\x00")),
    "a huge document": lambda write: write(response(json.dumps({"a": "a" * http_client.MAX_BYTES}).encode())),
    "an endless document": endless,
    "a compressed document": lambda write: write(
        response(gzip.compress(bytes(50_000_000)), "200 OK", "Content-Encoding: gzip")
    ),
    "endless headers": headers_without_end,
    "no HTTP": lambda write: write(b"\x16\x03\x01 what?\r\n\r\n"),
    "no answer": lambda _: None,
    "half an answer": lambda write: write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a"'),
}


@pytest.mark.parametrize(
    ("path", "case"),
    [(path, case) for path in (METADATA, "/token") for case in WRONG]
    + [(path, case) for path in ("/jwks", "/userinfo") for case in ("a redirect", "a page", "a list")],
)
async def test_wrong_answer_makes_the_provider_unavailable(
    sign_in: SignIn, evil: EvilProvider, caplog: pytest.LogCaptureFixture, path: str, case: str
) -> None:
    evil.claims = {}
    evil.answers[path] = WRONG[case]

    with pytest.raises(errors.ProviderUnavailable) as refusal:
        await sign_in()

    (line,) = [each.getMessage() for each in caplog.records if each.name == "accounts"]
    assert line.startswith("sign-in with evil is not available: ")
    assert CANARY not in caplog.text
    assert refusal.value.reason is None
    assert evil.paths()[-1] == path  # no redirect was followed


ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize(
    "url",
    ["", 1, [], "/token", "//a/b", "ftp://a/b", "file:///etc/passwd", "javascript:alert(1)", "http://a b/", "http:///a",
     "http://user@a/", "http://a/#b", "http://[::1/", "http://a:99999999/", "http://a\r\nb/", "http://é/", "http://a\\b/",
     "http://a/" + "a" * 3000, 'http://a/"><script>'],
)  # fmt: skip
async def test_endpoint_that_is_no_url_makes_the_provider_unavailable(
    provider: Provider, evil: EvilProvider, name: str, url: Any
) -> None:
    evil.metadata[name] = url

    with pytest.raises(errors.ProviderUnavailable):
        await provider.authorization_url(authorization_request(), REDIRECT_URI)


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "slash", "upper", None, 1, []])
async def test_metadata_of_another_issuer_makes_the_provider_unavailable(
    provider: Provider, evil: EvilProvider, issuer: Any
) -> None:
    evil.metadata["issuer"] = {"slash": f"{evil.issuer}/", "upper": evil.issuer.upper()}.get(str(issuer), issuer)

    with pytest.raises(errors.ProviderUnavailable):
        await provider.authorization_url(authorization_request(), REDIRECT_URI)


@pytest.mark.parametrize("keys", [None, {}, "keys", 1])
async def test_keys_that_are_no_list_make_the_provider_unavailable(
    sign_in: SignIn, evil: EvilProvider, keys: Any
) -> None:
    evil.answers["/jwks"] = answer({"keys": keys})

    with pytest.raises(errors.ProviderUnavailable):
        await sign_in()


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "401 Unauthorized"])
@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", CANARY, [CANARY], {"a": CANARY}])
async def test_error_of_the_token_endpoint_makes_the_provider_unavailable_and_is_named_if_it_is_known(
    sign_in: SignIn, evil: EvilProvider, caplog: pytest.LogCaptureFixture, status: str, error: Any
) -> None:
    evil.answers["/token"] = answer({"error": error, "error_description": CANARY}, status)

    with pytest.raises(errors.ProviderUnavailable):
        await sign_in()

    assert CANARY not in caplog.text
    assert ("invalid_client" in caplog.text) is (error == "invalid_client")


async def test_nothing_of_a_sign_in_is_logged(
    sign_in: SignIn, evil: EvilProvider, caplog: pytest.LogCaptureFixture
) -> None:
    evil.sign = lambda claims: evil.token(claims | {"aud": CANARY})
    with caplog.at_level(logging.WARNING):  # what libraries log in every process
        caplog.set_level(logging.DEBUG, "accounts")
        with pytest.raises(errors.ProviderRefused):
            await sign_in(code=None)
        with pytest.raises(errors.ProviderRefused):
            await sign_in()

    assert len(caplog.records) == 2
    for secret in (CANARY, SUBJECT, "code-", "eyJ", "lancelot@", "secret"):
        assert secret not in caplog.text


def test_secrets_of_a_sign_in_are_not_shown() -> None:
    request = authorization_request()

    assert not any(secret in repr(request) for secret in (request.state, request.nonce, request.verifier))


async def test_provider_that_is_not_there_is_not_asked_again_for_ten_seconds(
    evil: EvilProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    evil.answers[METADATA] = answer({}, "503 Service Unavailable")
    async with opened(evil.issuer) as provider:
        for _ in range(5):
            with pytest.raises(errors.ProviderUnavailable):
                await provider.authorization_url(authorization_request(), REDIRECT_URI)
        assert len(evil.calls) == 1
        assert len([record for record in caplog.records if record.name == "accounts"]) == 1

        del evil.answers[METADATA]
        later(monkeypatch, 11)
        assert (await signed_in(provider, evil)).subject == SUBJECT


async def test_server_that_is_not_there_makes_the_provider_unavailable(caplog: pytest.LogCaptureFixture) -> None:
    async with opened(f"http://127.0.0.1:{free_port()}") as provider:
        with pytest.raises(errors.ProviderUnavailable):
            await provider.authorization_url(authorization_request(), REDIRECT_URI)

    assert "ConnectError" in caplog.text


async def test_metadata_is_fetched_once_for_many_who_wait(provider: Provider, evil: EvilProvider) -> None:
    def late(write: Write) -> None:
        evil.stopped.wait(ENOUGH)
        answer(evil.respond(evil.calls[0]))(write)

    evil.answers[METADATA] = late

    urls = await asyncio.gather(*(provider.authorization_url(authorization_request(), REDIRECT_URI) for _ in range(20)))

    assert len(set(urls)) == 20
    assert len(evil.calls) == 1


async def test_provider_that_never_answers_delays_no_other(evil: EvilProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "SECONDS", 3 * ENOUGH)
    evil.answers["/token"] = lambda _: evil.stopped.wait(10)
    async with opened(evil.issuer) as slow:
        waiting = [asyncio.create_task(signed_in(slow, evil)) for _ in range(3 * http_client.MAX_CONNECTIONS)]
        with evil_provider() as honest:
            async with opened(honest.issuer) as provider:
                await asyncio.sleep(ENOUGH)
                began = time.monotonic()
                assert (await signed_in(provider, honest)).subject == SUBJECT
                assert time.monotonic() - began < 2 * ENOUGH
        results = await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(result) for result in results} == {errors.ProviderUnavailable}


async def test_answer_that_trickles_costs_only_the_time_limit(
    sign_in: SignIn, evil: EvilProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "SECONDS", ENOUGH)

    def trickle(write: Write) -> None:
        for byte in response(b"{}" + b" " * 1000):
            write(bytes([byte]))
            if evil.stopped.wait(ENOUGH / 3):
                return

    evil.answers["/token"] = trickle
    began = time.monotonic()

    with pytest.raises(errors.ProviderUnavailable):
        await sign_in()

    assert ENOUGH <= time.monotonic() - began < 10 * ENOUGH


async def test_all_requests_of_a_sign_in_have_one_time_limit(
    sign_in: SignIn, evil: EvilProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "SECONDS", 2 * ENOUGH)
    await sign_in()
    evil.claims = {}
    respond = evil.respond

    def late(path: str) -> Raw:
        def write_later(write: Write) -> None:
            call = next(call for call in reversed(evil.calls) if call.path == path)
            evil.stopped.wait(1.5 * ENOUGH)
            answer(respond(call))(write)

        return write_later

    evil.answers = {path: late(path) for path in ("/token", "/userinfo")}
    began = time.monotonic()

    with pytest.raises(errors.ProviderUnavailable):
        await sign_in()

    assert time.monotonic() - began < 6 * ENOUGH
    assert "it takes too long" in caplog.text


@pytest.mark.slow
async def test_provider_that_never_answers_costs_less_than_a_request_has(sign_in: SignIn, evil: EvilProvider) -> None:
    evil.answers["/token"] = lambda _: evil.stopped.wait(20)
    began = time.monotonic()

    with pytest.raises(errors.ProviderUnavailable):
        await sign_in()

    assert 5 <= time.monotonic() - began < 7


async def test_cookies_are_not_sent_back(sign_in: SignIn, evil: EvilProvider) -> None:
    evil.answers["/jwks"] = answer({"keys": evil.keys}, "200 OK", "Set-Cookie: id=1; Path=/")

    await sign_in()
    await sign_in()

    assert not any("cookie" in call.headers for call in evil.calls)
