"""Catalogues are complete: they translate every message in code and templates, with the same placeholders."""

import re
import tomllib
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import accounts
from accounts.translations import SOURCE_LANGUAGE, available_languages

PACKAGE = Path(accounts.__file__).parent
TRANSLATED = sorted(available_languages() - {SOURCE_LANGUAGE})


@pytest.fixture(scope="module")
def source() -> Catalog:
    """Return every message in code and templates, extracted as ``make messages`` does."""
    mappings = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["tool"]["babel"]["mappings"]
    catalog = Catalog()
    for path, _, message, _, context in extract_from_dir(
        PACKAGE.parent,
        method_map=[(each["pattern"], each["method"]) for each in mappings],
        options_map={each["pattern"]: each for each in mappings},
        directory_filter=lambda folder: Path(folder).is_relative_to(PACKAGE),
    ):
        catalog.add(message, locations=[(path, 0)], context=context)
    return catalog


def catalogue(tag: str) -> Catalog:
    with (PACKAGE / "translations" / tag.replace("-", "_") / "LC_MESSAGES" / "accounts.po").open("rb") as file:
        return read_po(file, tag.replace("-", "_"))


def test_german_and_english_are_available() -> None:
    assert available_languages() >= {"en", "de"}


def test_messages_are_extracted_from_code_and_templates_of_letters_and_pages(source: Catalog) -> None:
    locations = {Path(path).parts[1:3] for message in source for path, _ in message.locations}

    assert locations >= {("worker", "templates"), ("api", "account_pages"), ("worker", "display.py")}
    assert len(source) > 100


@pytest.mark.parametrize("tag", TRANSLATED)
def test_catalogue_translates_exactly_the_messages_in_use(tag: str, source: Catalog) -> None:
    translated = catalogue(tag)

    assert {message.id for message in translated} == {message.id for message in source}
    assert [message.id for message in translated if message.id and (message.fuzzy or not message.string)] == []


@pytest.mark.parametrize("tag", TRANSLATED)
def test_translations_have_the_placeholders_of_their_messages(tag: str) -> None:
    translated = catalogue(tag)

    assert [(message.id, errors) for message, errors in translated.check()] == []
    assert len([message for message in translated if message.python_format]) > 30


def test_image_keeps_babels_data_of_every_language_and_of_what_it_inherits_from() -> None:
    kept = set(re.findall(r"! -name (\w+)\.dat", (PACKAGE.parent / "Dockerfile").read_text("utf-8")))

    subtags = [tag.split("-") for tag in available_languages()]
    assert kept == {"root"} | {"_".join(each[:length]) for each in subtags for length in range(1, len(each) + 1)}
