"""Password policy: which passwords are refused, and which are accepted."""

import secrets
import string
import time

import pytest

from accounts.domain.identity.password_policy import find_weakness
from accounts.domain.sample_users.published_password import PASSWORD as SAMPLE_PASSWORD

ABOUT = ("king.arthur@camelot.example.com", "Arthur Pendragon")
FULL_WIDTH = "".join(chr(ord(each) + 0xFEE0) for each in "arthurpendragon")
SIGNS = "@({[<!|$+%#&"


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd2024!",
        "p@$$w0rd-2024",
        "passwordpassword",
        "Administrator",
        "letmeinletmein",
        "iloveyouforever",
        "dragon123456",
        "Summer2024!!!",
        "123456789012",
        "12 34 56 78 90",
        "aaaaaaaaaaaa",
        "😀" * 12,
        "abcdefghijkl",
        "qwertyuiop[]",
        "1qaz2wsx3edc",
        "1q2w3e4r5t6y",
        "!@#$%^&*()_+",
        "01/01/1990 01",
        "-" * 12,
        "password" * 16,
        "1990" * 32,
    ],
)
def test_easily_guessed_password_is_refused(password: str) -> None:
    assert "too easy to guess" in (find_weakness(password, 12, ABOUT) or "")


@pytest.mark.parametrize(
    "password",
    [
        "king.arthur@camelot.example.com",
        "KING.ARTHUR2026",
        "1king-arthur1",
        "Arthur Pendragon",
        "42arthurpendragon42",
        FULL_WIDTH,
        "arthur12345678",
        "camelot.example.com",
        "accounts-2026",
        "Accounts 12345",
    ],
)
def test_name_or_email_of_the_user_or_the_service_is_refused(password: str) -> None:
    assert "a name or an email address" in (find_weakness(password, 12, ABOUT) or "")


@pytest.mark.parametrize("password", ["accounts-accounts", "arthurarthur", "@rthur-P3ndr@gon"])
def test_disguised_name_is_refused(password: str) -> None:
    assert find_weakness(password, 12, ABOUT)


@pytest.mark.parametrize(
    "password",
    [
        SAMPLE_PASSWORD,
        "guinevere-and-lancelot",
        "a-sword-in-a-stone",
        "my cat likes fish",
        "i-like-trains",
        "Zażółć gęślą jaźń",
        "王様の剣は石に刺さっている",
        "kx8#Lq2!vTz9",
        "a" * 64 + "-guinevere-and-lancelot",
        "the king's sword is in a stone " * 4,
    ],
)
def test_strong_password_is_accepted_whatever_its_composition(password: str) -> None:
    assert find_weakness(password, 12, ABOUT) is None


def test_password_of_a_password_manager_is_accepted() -> None:
    passwords = ["".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16)) for _ in range(100)]

    assert [each for each in passwords if find_weakness(each, 12, ABOUT)] == []


@pytest.mark.parametrize(("min_length", "length", "accepted"), [(12, 11, False), (12, 12, True), (15, 12, False)])
def test_length_is_counted_in_characters(min_length: int, length: int, *, accepted: bool) -> None:
    assert (find_weakness("gęślą-trzcina"[:length], min_length, ABOUT) is None) is accepted


def test_password_has_at_most_128_characters() -> None:
    assert find_weakness("guinevere and " * 9 + "xy", 12) is None
    assert "12 to 128" in (find_weakness("guinevere and " * 9 + "xyz", 12) or "")


@pytest.mark.parametrize("alphabet", [SIGNS, string.punctuation, string.digits, "1734680952abcegilostz", "17"])
def test_no_password_takes_long_to_check(alphabet: str) -> None:
    """zxcvbn would take seconds for these, and hold the GIL."""
    find_weakness("the first call loads the word lists", 12)
    passwords = ["".join(secrets.choice(alphabet) for _ in range(128)) for _ in range(20)]
    before = time.thread_time()

    for password in passwords:
        find_weakness(password, 12, ABOUT)

    assert (time.thread_time() - before) / len(passwords) < 0.05
