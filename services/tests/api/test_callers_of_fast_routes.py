"""A fast route knows every caller that an ordinary one knows, and refuses the others in the same words.

FastAPI documents a fast route by a function that has its parameters. Here it serves that function as well, as an
ordinary route at the same path, so the two can be compared.
"""

import base64
import json

import jwt
import pytest
from fastapi import Depends
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient, Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from accounts.api.app import FAST_MODULES, create_app
from accounts.api.request_body import check_body
from accounts.models import Scope, User, Visibility
from support.people import PASSWORD, World

ROUTES = [
    route
    for module in FAST_MODULES
    for route in module.fast_router.routes
    if isinstance(route, APIRoute) and "GET" in (route.methods or ())
]
Headers = dict[str, str]


def ordinary_client(world: World) -> AsyncClient:
    app = create_app()
    app.router.routes[:0] = [
        APIRoute(route.path, route.endpoint, status_code=204, dependencies=[Depends(check_body)]) for route in ROUTES
    ]

    async def asgi(scope: AsgiScope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": dict(world.state)}, receive, send)

    return AsyncClient(transport=ASGITransport(asgi), base_url="http://testserver")


async def cookie(world: World, user: User) -> Headers:
    login = await world.client.post("/auth/cookie/login", data={"username": user.email, "password": PASSWORD})
    world.client.cookies.clear()
    return {"Cookie": login.headers["set-cookie"].partition(";")[0]}


def unsigned(headers: Headers) -> Headers:
    token = headers["Authorization"].removeprefix("Bearer ")
    head = json.dumps(jwt.get_unverified_header(token) | {"alg": "none"}).encode()
    return {"Authorization": f"Bearer {base64.urlsafe_b64encode(head).decode().rstrip('=')}.{token.split('.')[1]}."}


@pytest.fixture
async def callers(world: World) -> dict[str, Headers]:
    """The headers of callers, by what they have."""
    people = [await world.user("merlin", superuser=True), *[await world.user(name) for name in ("arthur", "mordred")]]
    merlin, arthur, mordred = [await world.sign_in(user) for user in people]
    merlins, arthurs, mordreds = [await cookie(world, user) for user in people]
    keys = {f"a key for {scope}": await world.access_key(people[0], scope) for scope in Scope if scope != Scope.ACCOUNT}
    ended = await world.sign_in(people[0])
    await world.client.post("/auth/jwt/logout", headers=ended)
    await world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'mordred%'")
    tokens = {
        "a token": merlin,
        "the token of another user": arthur,
        "the token of an ended session": ended,
        "the token of an inactive user": mordred,
        "an unsigned token": unsigned(merlin),
        "an invented token": {"Authorization": "Bearer invented"},
        "an empty token": {"Authorization": "Bearer "},
        "a token after two spaces": {"Authorization": merlin["Authorization"].replace(" ", "  ")},
        "a token of the scheme bearer": {"Authorization": merlin["Authorization"].replace("B", "b", 1)},
        "another scheme": {"Authorization": merlin["Authorization"].replace("Bearer", "Basic")},
        **keys,
    }
    cookies = {
        "a cookie": merlins,
        "the cookie of another user": arthurs,
        "the cookie of an inactive user": mordreds,
        "a forged cookie": {"Cookie": f"{merlins['Cookie'][:-4]}AAA="},
        "an empty cookie": {"Cookie": f"{merlins['Cookie'].partition('=')[0]}="},
    }
    both = {f"{token} and {name}": tokens[token] | cookies[name] for token in tokens for name in cookies}
    return {"nothing": {}, **tokens, **cookies, **both}


def refusal(response: Response) -> tuple[object, ...]:
    if response.status_code not in {401, 403}:
        return ()
    return response.status_code, response.json(), response.headers.get("WWW-Authenticate")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
async def test_caller_is_refused_as_by_an_ordinary_route(
    world: World, callers: dict[str, Headers], route: APIRoute
) -> None:
    group = await world.group("Round Table", Visibility.PUBLIC)
    path = route.path.format(group_id=group.id)
    ordinary = ordinary_client(world)
    accepted = 0
    for name, headers in callers.items():
        expected = await ordinary.get(path, headers=headers)
        answer = await world.client.get(path, headers=headers)
        if expected.status_code != 204:
            assert refusal(answer) == refusal(expected), name
        else:
            assert answer.status_code != 401, name
            accepted += 1
    assert accepted >= 3


@pytest.mark.parametrize("path", ["/user-groups/{}", "/user-groups/{}/users"])
async def test_cookie_opens_a_private_group_next_to_the_token_of_an_ended_session(
    world: World, callers: dict[str, Headers], path: str
) -> None:
    group = await world.group("Round Table", Visibility.PRIVATE)
    headers = callers["the token of an ended session and a cookie"]

    assert (await world.client.get(path.format(group.id), headers=headers)).status_code == 200
