"""TOTP: the vectors of RFC 6238, and agreement with another implementation."""

import secrets
from base64 import b32encode

import pyotp
import pytest

from accounts.domain.totp.codes import PERIOD, code_at, matching_step

SECRET = b"12345678901234567890"
# RFC 6238, appendix B, for SHA-1: eight digits, of which we use the last six.
VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
NOW = 1234567890


@pytest.mark.parametrize(("seconds", "code"), VECTORS.items())
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    assert code_at(SECRET, seconds // PERIOD) == code[-6:]


def test_codes_are_those_of_another_implementation() -> None:
    for step in range(1000):
        secret = secrets.token_bytes(20)
        assert code_at(secret, step * 997) == pyotp.TOTP(b32encode(secret).decode()).at(step * 997 * PERIOD)


@pytest.mark.parametrize("steps", [-2, -1, 0, 1, 2])
def test_code_of_the_step_before_and_after_is_accepted_and_no_other(steps: int) -> None:
    step = NOW // PERIOD + steps

    assert matching_step(SECRET, code_at(SECRET, step), NOW) == (step if abs(steps) < 2 else None)


@pytest.mark.parametrize("code", ["", "1", "12345", "1234567", "abcdef"])
def test_text_that_is_no_code_matches_nothing(code: str) -> None:
    assert matching_step(SECRET, code, NOW) is None
