"""Export of users: what it writes, the import takes."""

import asyncio
import json
import sys
from typing import Any

import pytest

from accounts.commands import export_users, run
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.user_files import user_export
from accounts.models import Role, Visibility
from accounts.settings import Settings
from support.people import World
from user_files.conftest import Import
from user_files.test_user_import import memberships, users


async def export(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> list[dict[str, Any]]:
    monkeypatch.setattr(run, "get_settings", lambda: settings)
    capsys.readouterr()
    await asyncio.to_thread(export_users.main, [])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


async def test_export_is_imported_as_it_was(
    busy_world: World,
    monkeypatch: pytest.MonkeyPatch,
    fresh_settings: Settings,
    capsys: pytest.CaptureFixture[str],
    import_file: Import,
) -> None:
    monkeypatch.setattr(user_export, "BATCH", 2)
    arthur = await busy_world.user("arthur", superuser=True, display_name="Artúr")
    galahad = await busy_world.user("galahad", hashed_password=UNUSABLE, is_active=False, language="de")
    bors = await busy_world.user("bors", is_verified=True)
    await busy_world.group("Round Table", members={arthur: Role.OWNER, galahad: Role.ADMIN, bors: Role.MEMBER})
    await busy_world.group("Castle", Visibility.PRIVATE, members={arthur: Role.OWNER})
    await busy_world.group("castle", Visibility.PRIVATE, members={bors: Role.OWNER})
    exported = await export(monkeypatch, fresh_settings, capsys)
    assert [user["hashed_password"] is None for user in exported] == [False, True, False]
    before, roles = await users(busy_world), await memberships(busy_world)
    await busy_world.sql("DELETE FROM user_group")
    await busy_world.sql('DELETE FROM "user"')

    printed = [json.dumps(user) for user in exported]
    await import_file(*printed)

    after = await users(busy_world)
    for name, user in before.items():
        for column in (
            "id",
            "email",
            "display_name",
            "language",
            "hashed_password",
            "is_active",
            "is_verified",
            "created_at",
        ):
            assert getattr(after[name], column) == getattr(user, column)
    assert not after["arthur"].is_superuser
    assert len(await memberships(busy_world)) == len(roles) == 5
    assert {
        (name.partition(" (")[0], user): role for (name, user), role in (await memberships(busy_world)).items()
    } == roles
    await busy_world.sign_in(arthur)


async def test_hashes_are_not_written_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(SystemExit, match="export-users: the lines have password hashes"):
        export_users.main([])
