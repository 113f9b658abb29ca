"""Language negotiation (RFC 9110, RFC 4647)."""

import pytest

from accounts.domain.mail.languages import best_language, negotiate_language
from accounts.translations import available_languages


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
        ("de" + "-a" * 7, "de"),
        ("de" + "-a" * 8, "en"),
        ("de" + "-a" * 15000, "en"),
        ("x, " * 300 + "de", "de"),
        ("x, " * 5000 + "de", "en"),
    ],
)
def test_accept_language_chooses_the_preferred_available_language(header: str, language: str) -> None:
    assert negotiate_language(header) == language


def test_wildcard_chooses_among_the_languages_that_the_header_does_not_exclude() -> None:
    assert negotiate_language("en;q=0, *") in available_languages() - {"en"}
    assert negotiate_language(", ".join([f"{tag};q=0" for tag in available_languages()] + ["*"])) == "en"


@pytest.mark.parametrize(
    ("tag", "language"), [("de", "de"), ("de-CH", "de"), ("xx", "en"), ("", "en"), ("../en", "en")]
)
def test_tag_falls_back_to_its_longest_available_prefix_or_english(tag: str, language: str) -> None:
    assert best_language(tag) == language
