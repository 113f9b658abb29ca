"""Which language a header asks for, and that no language lacks a sentence."""

import re
import tomllib
from importlib import resources
from string import Formatter
from typing import Any

import pytest

import accounts
from accounts.domain.mail.languages import available_languages, best_language, negotiate_language

SENTENCES = {
    tag: tomllib.loads((resources.files(accounts) / "worker" / "languages" / f"{tag}.toml").read_text("utf-8"))
    for tag in available_languages()
}


def test_there_are_two() -> None:
    assert available_languages() >= {"en", "de"}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-at", "de"),
        ("de-Latn-AT-1996", "de"),
        ("fr, de;q=0.5, en;q=0.4", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("de;q=0.8 , en ; q=0.9", "en"),
        ("de;q=0.3,en;q=0.2", "de"),
        ("en;q=0.001, de;q=0", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("fr, *;q=0.1", "en"),
        ("en;q=0, *", "de"),
        ("en;q=0, de;q=0, *", "en"),
        ("de;q=0, de-AT", "en"),
        ("de;q=1.000", "de"),
        ("de;q=1.1, en;q=0.1", "en"),
        ("de;q=0.1234", "en"),
        ("de;q=nan", "en"),
        ("de;level=1", "en"),
        ("de_AT", "en"),
        ("d€, \x00, ;;,,de", "de"),
        ("../../etc/passwd", "en"),
        ("-, " * 5000, "en"),
    ],
)
def test_a_header_chooses(header: str, language: str) -> None:
    assert negotiate_language(header) == language


@pytest.mark.parametrize(
    ("tag", "language"), [("de", "de"), ("de-CH", "de"), ("xx", "en"), ("", "en"), ("../en", "en")]
)
def test_a_tag_finds_a_language(tag: str, language: str) -> None:
    assert best_language(tag) == language


def flat(table: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Sentences by their path, such as ``verify.subject``."""
    return {
        name: sentence
        for key, value in table.items()
        for name, sentence in (flat(value, f"{key}.") if isinstance(value, dict) else {path + key: value}).items()
    }


def placeholders(sentence: object) -> object:
    """What is filled in; of a list, how long it is."""
    return len(sentence) if isinstance(sentence, list) else {part[1] for part in Formatter().parse(str(sentence))}


@pytest.mark.parametrize("tag", sorted(available_languages()))
def test_every_language_says_the_same(tag: str) -> None:
    english = {name: placeholders(sentence) for name, sentence in flat(SENTENCES["en"]).items()}
    assert {name: placeholders(sentence) for name, sentence in flat(SENTENCES[tag]).items()} == english


@pytest.mark.parametrize("tag", sorted(available_languages()))
def test_placeholders_are_bare_names(tag: str) -> None:
    found = [part for sentence in flat(SENTENCES[tag]).values() for part in Formatter().parse(str(sentence)) if part[1]]

    assert len(found) > 40
    assert [part for part in found if not re.fullmatch(r"[a-z_]+", part[1] or "") or part[2] or part[3]] == []
