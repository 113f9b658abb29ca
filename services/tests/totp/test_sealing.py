"""Sealed values: opened for their user and purpose only, by each key of the ring."""

import uuid

import pytest

from accounts.domain.sealing import KEY_ID_BYTES, CannotUnseal, key_id, seal, unseal

ARTHUR, MORDRED = uuid.UUID(int=1), uuid.UUID(int=2)
SECRET = b"excalibur"


def test_value_is_opened_by_each_ring_that_has_its_key() -> None:
    sealed = seal("old", "totp", ARTHUR, SECRET)

    assert unseal(["old"], "totp", ARTHUR, sealed) == SECRET
    assert unseal(["new", "old"], "totp", ARTHUR, sealed) == SECRET
    with pytest.raises(CannotUnseal):
        unseal(["new"], "totp", ARTHUR, sealed)


@pytest.mark.parametrize(("purpose", "user_id"), [("other", ARTHUR), ("totp", MORDRED)])
def test_value_is_opened_for_its_purpose_and_user_only(purpose: str, user_id: uuid.UUID) -> None:
    sealed = seal("key", "totp", ARTHUR, SECRET)

    with pytest.raises(CannotUnseal):
        unseal(["key"], purpose, user_id, sealed)


def test_changed_value_is_refused_wherever_it_was_changed() -> None:
    sealed = seal("key", "totp", ARTHUR, SECRET)

    for position in range(len(sealed)):
        changed = sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]
        with pytest.raises(CannotUnseal):
            unseal(["key"], "totp", ARTHUR, changed)
    for length in range(len(sealed)):
        with pytest.raises(CannotUnseal):
            unseal(["key"], "totp", ARTHUR, sealed[:length])


def test_value_names_its_key_and_reveals_neither_key_nor_secret() -> None:
    sealed, again = (seal("key", "totp", ARTHUR, SECRET) for _ in range(2))

    assert sealed[:KEY_ID_BYTES] == again[:KEY_ID_BYTES] == key_id("key")
    assert sealed[KEY_ID_BYTES:] != again[KEY_ID_BYTES:]
    assert key_id("key") != key_id("other")
    assert SECRET not in sealed
