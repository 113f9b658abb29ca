"""The range API as a client sees it: what it learns, and what a server that fails or attacks can cause."""

import asyncio
import gzip
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from accounts.domain.breached_passwords import lists, range_api
from accounts.domain.breached_passwords.lists import IsBreached, open_lists
from accounts.settings import get_settings
from support.certificates import authority
from support.processes import free_port
from support.range_api import Answer, RangeServer, Write, range_server, response, sha1

LEAKED = "correct horse battery staple"
FINE = "guinevere-and-lancelot"
ENOUGH = 0.3  # seconds for a lookup in a test


def checks(outcome: str) -> float:
    return REGISTRY.get_sample_value("accounts_breach_checks_total", {"outcome": outcome}) or 0


def opened(url: str) -> Any:
    return open_lists(get_settings().model_copy(update={"breached_passwords_url": url}))


async def test_leaked_password_is_found_and_another_is_not(mirror: RangeServer, is_breached: IsBreached) -> None:
    mirror.leak(LEAKED)

    assert (await is_breached(LEAKED), await is_breached(FINE)) == (True, False)


async def test_padding_is_not_a_leaked_password(mirror: RangeServer, is_breached: IsBreached) -> None:
    mirror.leak(LEAKED, count=0)

    assert not await is_breached(LEAKED)


async def test_server_learns_five_digits_and_nothing_else(mirror: RangeServer, is_breached: IsBreached) -> None:
    await is_breached(LEAKED)

    (request,) = mirror.requests
    assert request.path == f"/range/{sha1(LEAKED)[:5]}"
    assert request.headers["add-padding"] == "true"
    assert request.headers["user-agent"] == "accounts"
    assert sha1(LEAKED)[5:].lower() not in str(request).lower()


async def test_mirror_may_have_a_path_and_write_small_letters(mirror: RangeServer) -> None:
    mirror.answer = lambda write: write(response(f"{sha1(LEAKED)[5:].lower()}:1\n".encode()))

    async with opened(f"{mirror.url}/a/mirror") as is_breached:
        assert await is_breached(LEAKED)

    assert mirror.requests[0].path == f"/a/mirror/range/{sha1(LEAKED)[:5]}"


async def test_the_same_digits_are_asked_for_once_while_few_others_are(
    mirror: RangeServer, is_breached: IsBreached
) -> None:
    for _ in range(3):
        await is_breached(LEAKED)
    assert len(mirror.requests) == 1

    for number in range(range_api.CACHED_ANSWERS):
        await is_breached(f"password {number}")
    await is_breached(LEAKED)

    assert len(mirror.requests) == range_api.CACHED_ANSWERS + 2


async def test_cookies_are_not_sent_back(mirror: RangeServer, is_breached: IsBreached) -> None:
    mirror.answer = lambda write: write(response(b"", "200 OK", "Set-Cookie: id=1; Path=/"))

    await is_breached(LEAKED)
    await is_breached(FINE)

    assert len(mirror.requests) == 2
    assert not any("cookie" in request.headers for request in mirror.requests)


def chunked(write: Write) -> None:
    """Write an endless answer, of lines as they should be."""
    write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        write(b"2600\r\n" + (b"0" * 35 + b":1\n") * 256 + b"\r\n")


def bomb(write: Write) -> None:
    write(response(gzip.compress(bytes(50_000_000)), "200 OK", "Content-Encoding: gzip"))


def headers_without_end(write: Write) -> None:
    write(b"HTTP/1.1 200 OK\r\n")
    while True:
        write(b"X: " + b"x" * 1000 + b"\r\n")


def found(status: str, *headers: str) -> Answer:
    """Answer as for a leaked password, but for the status."""
    return lambda write: write(response(f"{sha1(LEAKED)[5:]}:9".encode(), status, *headers))


WRONG: dict[str, tuple[Answer, str]] = {
    "a server error": (found("500 Internal Server Error"), "the server answered with status 500"),
    "too many requests": (found("429 Too Many Requests"), "the server answered with status 429"),
    "a redirect": (found("302 Found", "Location: /range/ABCDE"), "the server answered with status 302"),
    "a page of a captive portal": (lambda write: write(response(b"<html>Sign in")), "the answer has other lines"),
    "a hash that is too short": (lambda write: write(response(b"ABC:1")), "the answer has other lines"),
    "a huge answer": (chunked, "the answer is too long"),
    "a compressed answer": (bomb, "the answer has other lines"),
    "a line that is long": (lambda write: write(response(b"0" * 300_000)), "the answer has other lines"),
    "no HTTP": (lambda write: write(b"\x16\x03\x01 what?\r\n\r\n"), "RemoteProtocolError"),
    "endless headers": (headers_without_end, "RemoteProtocolError"),
    "nothing": (lambda _: None, "RemoteProtocolError"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_answer_accepts_the_password(
    mirror: RangeServer, is_breached: IsBreached, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    mirror.leak(LEAKED)
    mirror.answer, reason = WRONG[case]
    failed = checks("failed")

    assert not await is_breached(LEAKED)

    (line,) = [each.getMessage() for each in caplog.records if each.name == "accounts"]
    assert line.startswith(f"passwords are not looked up in BREACHED_PASSWORDS_URL for 30 s: {reason}")
    assert checks("failed") == failed + 1
    assert len(mirror.requests) == 1


async def test_server_that_is_not_there_accepts_the_password(caplog: pytest.LogCaptureFixture) -> None:
    async with opened(f"http://127.0.0.1:{free_port()}") as is_breached:
        assert not await is_breached(LEAKED)

    assert "ConnectError" in caplog.text


@pytest.mark.parametrize("trusted", [True, False])
async def test_certificate_of_the_server_is_verified(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trusted: bool,  # noqa: FBT001  # a case
) -> None:
    file = tmp_path / "authority.pem"
    file.write_bytes(authority().certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with range_server(authority().server) as mirror:
        mirror.leak(LEAKED)
        async with opened(mirror.url) as is_breached:
            assert await is_breached(LEAKED) is trusted
        assert len(mirror.requests) == trusted


def slow(mirror: RangeServer, seconds: float) -> None:
    """Answer a byte each ``seconds``, so that no wait for data is long."""

    def trickle(write: Write) -> None:
        answer = response(f"{sha1(LEAKED)[5:]}:9".encode())
        for byte in answer:
            write(bytes([byte]))
            if mirror.stopped.wait(seconds):
                return

    mirror.answer = trickle


async def test_answer_that_trickles_costs_only_the_time_limit(
    mirror: RangeServer, is_breached: IsBreached, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "SECONDS", ENOUGH)
    slow(mirror, ENOUGH / 3)
    began = time.monotonic()

    assert not await is_breached(LEAKED)

    assert ENOUGH <= time.monotonic() - began < 10 * ENOUGH


@pytest.mark.slow
async def test_server_that_takes_ten_seconds_costs_two(mirror: RangeServer, is_breached: IsBreached) -> None:
    mirror.answer = lambda _: mirror.stopped.wait(10)
    began = time.monotonic()

    assert not await is_breached(LEAKED)

    assert 2 <= time.monotonic() - began < 5


async def test_server_that_fails_is_not_asked_again_for_half_a_minute(
    mirror: RangeServer, is_breached: IsBreached, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.leak(LEAKED)
    mirror.answer = found("500 Internal Server Error")
    skipped = checks("skipped")
    await is_breached(LEAKED)
    mirror.answer = None

    assert not await is_breached(LEAKED)
    assert (len(mirror.requests), checks("skipped")) == (1, skipped + 1)

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: time.monotonic() + lists.PAUSE_SECONDS)
    assert await is_breached(LEAKED)


@pytest.mark.parametrize("answer", [None, found("500 Internal Server Error"), WRONG["no HTTP"][0]])
async def test_no_log_line_has_anything_of_the_password(
    mirror: RangeServer, is_breached: IsBreached, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    mirror.answer = answer
    with caplog.at_level(logging.WARNING):  # what libraries log in every process
        caplog.set_level(logging.DEBUG, "accounts")
        await is_breached(LEAKED)

    for secret in (LEAKED, sha1(LEAKED)[:5], sha1(LEAKED)[5:]):
        assert secret.lower() not in caplog.text.lower()
