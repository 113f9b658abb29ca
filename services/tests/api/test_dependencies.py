"""Tokens on their way to whom they are for."""

import pytest

from accounts.api.dependencies import get_deliver
from accounts.settings import Environment, get_settings
from people import World


@pytest.mark.parametrize(("environment", "shown"), [(Environment.DEVELOPMENT, True), (Environment.PRODUCTION, False)])
async def test_a_token_is_logged_in_development_only(
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    environment: Environment,
    *,
    shown: bool,
) -> None:
    arthur = await world.user("arthur")
    monkeypatch.delitem(world.app.dependency_overrides, get_deliver)
    world.state["settings"] = get_settings().model_copy(update={"environment": environment})

    await world.client.post("/auth/forgot-password", json={"email": arthur.email})

    assert ("reset token for arthur@camelot.example.com" in caplog.text) is shown
