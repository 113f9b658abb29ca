"""Which passwords are refused: NIST SP 800-63B-4, 3.1.1.2. Length counts, and whether a guesser tries it early.

What it is composed of does not. zxcvbn estimates the guesses from its lists of common passwords, names and words, and
from keyboard walks, sequences, repetitions and dates.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from string import digits

from zxcvbn_rs_py import zxcvbn

from accounts.schemas.fields import PASSWORD_MAX_LENGTH
from accounts.translations import N_

SERVICE = "accounts"
GUESSES = 10**7
# zxcvbn holds the interpreter's lock for seconds over a long text of signs that may stand for letters. Pieces of this
# length without such signs cost some 3 ms at the worst.
PIECE = 24
WORD = 3
AS_LETTERS = str.maketrans("@$!|+({[<%", "asiltccccx")
AS_KEYS = str.maketrans("!@#$%^&*(){[<|+", "1234567890]],\\=")
MARKS = "!?.*"
SEPARATORS = re.compile(r"[\s\-_.,:;/]+")
TOO_SHORT = N_("A password must have %(shortest)s to %(longest)s characters.")
PERSONAL = N_("A password must not be a name or an email address with some digits.")
GUESSABLE = N_("This password is too easy to guess. Try several unrelated words.")
WEAKNESSES = (TOO_SHORT, PERSONAL, GUESSABLE)


def find_weakness(password: str, shortest: int, about: Iterable[str] = ()) -> str | None:
    """Say for people why a password is refused; None if it is not.

    ``shortest`` is in characters; ``about`` is what others may know of its user: names and addresses.
    """
    if not shortest <= len(password) <= PASSWORD_MAX_LENGTH:
        return TOO_SHORT % {"shortest": shortest, "longest": PASSWORD_MAX_LENGTH}
    known = list(dict.fromkeys(word for text in (*about, SERVICE) for word in _words(text)))
    plain = unicodedata.normalize("NFKC", password).casefold()
    bare = plain.strip(MARKS)
    forms = {_joined(bare.translate(AS_LETTERS)), _joined(plain.translate(AS_KEYS))}
    if any(form.strip(digits) in known for form in (*forms, _joined(bare))):
        return PERSONAL
    if any(_guessed(form, known) for form in forms):
        return GUESSABLE
    return None


def _joined(text: str) -> str:
    return SEPARATORS.sub("", text)


def _words(text: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKC", text).casefold()
    for each in (plain, *plain.split("@"), *re.split(r"[\W_]+", plain)):
        if len(word := _joined(each)) >= WORD:
            yield word


def _guessed(form: str, known: list[str]) -> bool:
    return all(zxcvbn(piece, known).guesses < GUESSES for piece in {form[:PIECE], form[-PIECE:]})
