"""Imports of users by the command, on a database of their own."""

import asyncio
import io
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from accounts.commands import import_users, run
from accounts.settings import Settings

Import = Callable[..., Awaitable[str]]


@pytest.fixture
def import_file(
    monkeypatch: pytest.MonkeyPatch, fresh_settings: Settings, capsys: pytest.CaptureFixture[str]
) -> Import:
    """The command, on the database of ``busy_world``. It takes the users or the content, and returns what it prints."""
    for module in (run, import_users):
        monkeypatch.setattr(module, "get_settings", lambda: fresh_settings)

    async def command(*users: dict[str, Any] | str | bytes, options: tuple[str, ...] = ()) -> str:
        content = b"\n".join(to_bytes(user) for user in users)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        capsys.readouterr()
        await asyncio.to_thread(import_users.main, options)
        return capsys.readouterr().out

    return command


def to_bytes(user: dict[str, Any] | str | bytes) -> bytes:
    if isinstance(user, dict):
        return json.dumps(user).encode()
    return user.encode() if isinstance(user, str) else user
