"""Password policy (NIST SP 800-63B-4, 3.1.1.2): a minimum length and a blocklist, but no composition rules.

zxcvbn estimates how many guesses a password takes, from lists of common passwords, names and words, and from keyboard
patterns, sequences, repetitions and dates.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from string import digits

from zxcvbn_rs_py import zxcvbn

from accounts.schemas.fields import PASSWORD_MAX_LENGTH
from accounts.translations import N_

SERVICE = "accounts"
MIN_GUESSES = 10**7
# zxcvbn holds the GIL for seconds on a long text of characters that may stand for letters. Pieces of this length,
# with those characters replaced, take 3 ms at most.
PIECE_LENGTH = 24
MIN_WORD_LENGTH = 3
AS_LETTERS = str.maketrans("@$!|+({[<%", "asiltccccx")
AS_KEYS = str.maketrans("!@#$%^&*(){[<|+", "1234567890]],\\=")
MARKS = "!?.*"
SEPARATORS = re.compile(r"[\s\-_.,:;/]+")
LENGTH = N_("A password must have %(shortest)s to %(longest)s characters.")
PERSONAL = N_("A password must not be a name or an email address with some digits.")
GUESSABLE = N_("This password is too easy to guess. Try several unrelated words.")
BREACHED = N_("This password is in a list of leaked passwords. Choose one that you use nowhere else.")
WEAKNESSES = (LENGTH, PERSONAL, GUESSABLE, BREACHED)


def find_weakness(password: str, min_length: int, about: Iterable[str] = ()) -> str | None:
    """Return why a password is refused, as a message for the user, or None if it is accepted.

    ``min_length`` is in characters. ``about``: names and email addresses of the user, which others may know.
    """
    if not min_length <= len(password) <= PASSWORD_MAX_LENGTH:
        return LENGTH % {"shortest": min_length, "longest": PASSWORD_MAX_LENGTH}
    known = list(dict.fromkeys(word for text in (*about, SERVICE) for word in _words(text)))
    plain = unicodedata.normalize("NFKC", password).casefold()
    bare = plain.strip(MARKS)
    forms = {_joined(bare.translate(AS_LETTERS)), _joined(plain.translate(AS_KEYS))}
    if any(form.strip(digits) in known for form in (*forms, _joined(bare))):
        return PERSONAL
    if any(_is_easily_guessed(form, known) for form in forms):
        return GUESSABLE
    return None


def _joined(text: str) -> str:
    return SEPARATORS.sub("", text)


def _words(text: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKC", text).casefold()
    for part in (plain, *plain.split("@"), *re.split(r"[\W_]+", plain)):
        if len(word := _joined(part)) >= MIN_WORD_LENGTH:
            yield word


def _is_easily_guessed(form: str, known: list[str]) -> bool:
    return all(zxcvbn(piece, known).guesses < MIN_GUESSES for piece in {form[:PIECE_LENGTH], form[-PIECE_LENGTH:]})
