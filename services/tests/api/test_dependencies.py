"""What routes ask for, and tokens on their way to whom they are for."""

from collections.abc import Iterator
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from accounts.api.app import MODULES
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


def asked_for(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for each in dependant.dependencies:
        yield from asked_for(each)


def test_nothing_that_a_route_asks_for_is_sent_through_a_thread() -> None:
    """That would cost each request more than the rest of it, and wait for a free thread when there are many."""
    routes = [route for module in MODULES for route in module.router.routes if isinstance(route, APIRoute)]
    calls = {call for route in routes for call in asked_for(route.dependant)}
    sync = {
        call
        for call in calls
        if not any(kind(each) for kind in (iscoroutinefunction, isasyncgenfunction) for each in (call, call.__call__))
    }

    assert len(calls) > len(routes) > 0
    assert sync == set()
