"""Rotation of SECRET_KEY: secrets of authenticator apps are sealed again, before the older key is dropped."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from accounts.db.session import transaction
from accounts.domain.totp import resealing
from accounts.domain.totp.resealing import Resealed, reseal_all
from support.people import World
from support.second_factors import finish, mfa_token, user_with_app

NEW, OTHER = "a-new-key-of-at-least-32-characters", "another-key-of-at-least-32-characters"


def change_keys(world: World, *keys: str) -> None:
    world.change_settings(secret_key=SecretStr(",".join(keys)))


async def reseal(world: World) -> Resealed:
    async with transaction(world.sessionmaker) as db:
        return await reseal_all(db, world.state["settings"])


async def test_app_works_after_the_key_that_sealed_it_is_dropped(world: World) -> None:
    phone = await user_with_app(world)

    change_keys(world, NEW, world.key)
    before = await finish(world, await mfa_token(world), code=await phone.code())
    resealed = await reseal(world)
    change_keys(world, NEW)
    after = await finish(world, await mfa_token(world), code=await phone.code())

    assert [each.status_code for each in (before, after)] == [200, 200]
    assert (resealed, await reseal(world)) == (Resealed(done=1), Resealed())


async def test_new_key_seals_only_once_it_signs(world: World) -> None:
    await user_with_app(world)

    change_keys(world, NEW, world.key)
    world.change_settings(keys_rotate_at=datetime.now(UTC) + timedelta(minutes=15))

    assert await reseal(world) == Resealed()


async def test_app_whose_key_was_dropped_is_counted_and_its_user_uses_another_factor(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    phone = await user_with_app(world)
    change_keys(world, NEW)

    resealed = await reseal(world)
    token = await mfa_token(world)
    refused = await finish(world, token, code=await phone.code())
    done = await finish(world, token, recovery_code=phone.recovery_codes[0])

    assert resealed == Resealed(unreadable=1)
    assert (refused.status_code, refused.json()["detail"]) == (503, "FACTOR_UNAVAILABLE")
    assert "sealed with a key that SECRET_KEY no longer has" in caplog.text
    assert done.status_code == 200
    change_keys(world, NEW, world.key)  # it was put back
    assert (await finish(world, await mfa_token(world), code=await phone.code())).status_code == 200


async def test_apps_are_sealed_again_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "BATCH", 2)
    for name in ("arthur", "bors", "gawain", "kay", "percival"):
        await user_with_app(world, name)
    change_keys(world, OTHER)
    await user_with_app(world, "mordred")
    change_keys(world, NEW, world.key)

    assert await reseal(world) == Resealed(done=5, unreadable=1)
