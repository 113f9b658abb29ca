"""Dependencies of routes."""

from collections.abc import Iterator
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from accounts.api.app import ROUTE_MODULES


def dependencies_of(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for dependency in dependant.dependencies:
        yield from dependencies_of(dependency)


def test_no_dependency_runs_in_a_thread() -> None:
    """A thread would cost more than the rest of a request, and requests would wait for free threads."""
    routes = [route for module in ROUTE_MODULES for route in module.router.routes if isinstance(route, APIRoute)]
    calls = {call for route in routes for call in dependencies_of(route.dependant)}
    sync = {
        call
        for call in calls
        if not any(kind(each) for kind in (iscoroutinefunction, isasyncgenfunction) for each in (call, call.__call__))
    }

    assert len(calls) > len(routes) > 0
    assert sync == set()
