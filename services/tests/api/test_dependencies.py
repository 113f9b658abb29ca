"""Dependencies of routes, and the client IP."""

import re
from collections.abc import Iterator
from inspect import isasyncgenfunction, iscoroutinefunction
from pathlib import Path
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlmodel import select

import accounts
from accounts.api.app import ROUTE_MODULES
from accounts.models import AuditEvent, KnownDevice, UserSession
from support.people import PASSWORD, World

PACKAGE = Path(accounts.__file__).parent


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


def test_client_ip_is_read_in_one_place() -> None:
    """There it gets its one form, so that no client counts twice."""
    reading = re.compile(r"request\.client\b|scope\[\"client\"\]|scope\.get\(\"client\"")

    assert [path.name for path in PACKAGE.rglob("*.py") if reading.search(path.read_text())] == ["dependencies.py"]


async def test_ipv4_client_is_the_same_one_through_a_socket_for_both_protocols(world: World) -> None:
    arthur = await world.user("arthur")
    for client_ip in ("203.0.113.9", "::ffff:203.0.113.9", "::ffff:cb00:7109"):
        async with world.client_at(client_ip) as client:
            login = await client.post("/auth/jwt/login", data={"username": arthur.email, "password": PASSWORD})
            assert login.status_code == 200

    async with world.sessionmaker() as db:
        addresses = {*await db.exec(select(UserSession.address)), *await db.exec(select(AuditEvent.address))} - {""}
        devices = (await db.exec(select(KnownDevice))).all()
    assert (addresses, len(devices)) == ({"203.0.113.9"}, 1)
