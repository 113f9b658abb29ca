"""The text of an access key."""

import uuid

import pytest

from accounts.domain.access_keys.secret import KeyKind, KeySecret, parse_key


@pytest.mark.parametrize("kind", KeyKind)
def test_a_key_is_parsed_from_its_text(kind: KeyKind) -> None:
    key = KeySecret.create(kind, uuid.uuid7() if hasattr(uuid, "uuid7") else uuid.uuid4())
    parsed = parse_key(str(key))
    assert parsed == key
    assert parsed.matches(key.hash)
    assert not parsed.matches(KeySecret.create(kind, key.id).hash)


def test_every_changed_character_makes_a_key_invalid() -> None:
    text = str(KeySecret.create(KeyKind.PERSONAL, uuid.uuid4()))
    for place, character in enumerate(text):
        changed = "A" if character != "A" else "B"
        assert parse_key(text[:place] + changed + text[place + 1 :]) is None


def test_a_malformed_key_is_none() -> None:
    text = str(KeySecret.create(KeyKind.PERSONAL, uuid.uuid4()))
    for malformed in (
        "",
        text[:-1],
        text + "0",
        text + "\n",
        " " + text,
        text.upper(),
        text.replace("pat", "svc"),
        "é",
    ):
        assert parse_key(malformed) is None


def test_a_key_never_shows_its_secret_in_logs() -> None:
    key = KeySecret.create(KeyKind.PERSONAL, uuid.uuid4())
    assert str(key)[30:] not in repr(key)
    assert repr(key.secret) not in repr(key)
