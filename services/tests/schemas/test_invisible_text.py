"""Which texts hide something or cannot be seen."""

import re
import time

import asyncpg
import pytest
import regex
from pydantic import TypeAdapter, ValidationError

from accounts.schemas.fields import Description, DisplayName, Email, GroupName, Note, Prefix, Username
from accounts.schemas.invisible_text import IGNORABLE, strip_invisible

CHARACTERS = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)
IGNORED = set(re.findall(f"[{IGNORABLE}]", CHARACTERS))
SCOTLAND = "\N{WAVING BLACK FLAG}" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct") + "\U000e007f"
ACCEPTED = {
    "a name": "Arthur Pendragon",
    "an emoji of several people": "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}",
    "an emoji with a variation selector": "\u2764\ufe0f",
    "a flag in tags": SCOTLAND,
    "Persian with a non-joiner": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Hebrew with a mark of direction": "\u05d0\u05d1 C++\u200e",
    "Japanese with an ideographic variation": "\u845b\U000e0100\u57ce",
    "Mongolian with a free variation selector": "\u1820\u180b",
    "Hangul of an initial with its filler": "\u1112\u1160",
    "Braille with a blank": "\u2801\u2800\u2803",
    "a soft hyphen": "Fußball\u00adverein",
    "a private character": "\uf8ff",
    "a character of a later Unicode": "\U0001faff",
}
HIDING = {
    "an override of direction": "a\u202eb",
    "an embedding": "\u202aa\u202c",
    "an isolate": "a\u2066b\u2069",
    "a line separator": "a\u2028b",
    "a paragraph separator": "a\u2029b",
    "a tag alone": "a\U000e0001",
    "tags after another character": "a\U000e0067\U000e0062\U000e007f",
    "a long flag": SCOTLAND[:-1] + "\U000e0061" * 2 + "\U000e007f",
    "a flag without an end": SCOTLAND[:-1],
    "variation selectors in a row": "a\U000e0100\U000e0101",
    "an ignorable character that is not assigned": "a\U000e0080",
    "a noncharacter": "a\ufdd0",
    "a noncharacter of another plane": "a\U0010ffff",
    "an interlinear annotation": "\ufff9a\ufffab\ufffb",
    "a deprecated format character": "a\u206a",
}
INVISIBLE = ("\u200b", "\u3164", "\u115f\u1160", "\u00ad", "\u2800", "\u2800 \u00a0\u200d", "\ufe0f", "\U0001d159")
NAMES = [TypeAdapter[str](field) for field in (DisplayName, GroupName, Prefix)]
TEXTS = [TypeAdapter[str](field) for field in (Description, Note)]


def fault(adapter: TypeAdapter[str], text: str) -> str:
    with pytest.raises(ValidationError) as raised:
        adapter.validate_python(text)
    return str(raised.value.errors()[0]["type"])


def test_table_has_the_default_ignorable_characters_of_unicode() -> None:
    assert set(regex.findall(r"\p{Default_Ignorable_Code_Point}", CHARACTERS)) == IGNORED


async def test_database_ignores_the_same_characters_in_public_names(owned_database: str) -> None:
    connection = await asyncpg.connect(owned_database)
    tried = IGNORED | {chr(ord(character) + step) for character in IGNORED for step in (-1, 1)}
    names = [f"a{character}b" for character in tried]
    keys = await connection.fetch("SELECT public_name_key(name) FROM unnest($1::text[]) AS name", names)
    await connection.close()

    assert {name[1] for name, (key,) in zip(names, keys, strict=True) if key == "ab"} == IGNORED


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_text_of_every_script_is_accepted(text: str) -> None:
    assert [adapter.validate_python(text) for adapter in NAMES + TEXTS] == [text] * 5


@pytest.mark.parametrize("text", HIDING.values(), ids=HIDING)
def test_text_that_hides_something_is_refused(text: str) -> None:
    assert {fault(adapter, text) for adapter in NAMES + TEXTS} == {"hidden_characters"}


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_text_without_a_visible_character_is_refused(text: str) -> None:
    assert {fault(adapter, text) for adapter in NAMES + TEXTS} == {"invisible"}


def test_text_of_several_lines_keeps_its_lines() -> None:
    assert [adapter.validate_python("a\n\n\tb") for adapter in TEXTS] == ["a\n\n\tb"] * 2


def test_optional_text_may_be_empty() -> None:
    assert [TypeAdapter[str](each).validate_python(" ") for each in (DisplayName, Description, Note)] == [""] * 3


@pytest.mark.parametrize("character", sorted({*IGNORED, *" \t\n\u00a0\u2003"})[:60], ids=ascii)
def test_email_loses_what_was_pasted_around_it(character: str) -> None:
    pasted = f"{character}\u200e a@example.com{character}"

    assert {TypeAdapter[str](each).validate_python(pasted) for each in (Email, Username)} == {"a@example.com"}


def test_characters_inside_of_a_text_stay() -> None:
    assert strip_invisible("\ufeffa\u200db\u200b") == "a\u200db"


@pytest.mark.parametrize("blank", [" ", "\u200b"], ids=ascii)
def test_stripping_takes_linear_time(blank: str) -> None:
    started = time.process_time()
    assert strip_invisible(f"a{blank * 20_000}a").startswith(f"a{blank}")
    assert time.process_time() - started < 0.3  # seconds; what is quadratic takes more
