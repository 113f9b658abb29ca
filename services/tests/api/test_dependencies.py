"""What routes ask for."""

from collections.abc import Iterator
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from accounts.api.app import ROUTE_MODULES


def asked_for(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for each in dependant.dependencies:
        yield from asked_for(each)


def test_nothing_that_a_route_asks_for_is_sent_through_a_thread() -> None:
    """That would cost each request more than the rest of it, and wait for a free thread when there are many."""
    routes = [route for module in ROUTE_MODULES for route in module.router.routes if isinstance(route, APIRoute)]
    calls = {call for route in routes for call in asked_for(route.dependant)}
    sync = {
        call
        for call in calls
        if not any(kind(each) for kind in (iscoroutinefunction, isasyncgenfunction) for each in (call, call.__call__))
    }

    assert len(calls) > len(routes) > 0
    assert sync == set()
