"""The cookie of a session is replaced with each authentication (ASVS 5.0, 7.2.4): a copy of the old one is no use."""

import asyncio
from collections.abc import Awaitable, Callable

import pyotp
import pytest
from httpx2 import AsyncClient, Response

from accounts.api.session_cookie import COOKIE
from accounts.models import User
from support.authenticator import Authenticator
from support.evil_provider import evil_provider
from support.external_browser import Browser, configure
from support.people import PASSWORD, World

PROOF = {"current_password": PASSWORD}
Act = Callable[[World, AsyncClient], Awaitable[Response]]


async def by_password(_: World, client: AsyncClient) -> Response:
    return await client.post("/auth/elevate", json=PROOF)


async def on_the_page(_: World, client: AsyncClient) -> Response:
    return await client.post("/account/confirm", data=PROOF)


async def by_adding_an_app(_: World, client: AsyncClient) -> Response:
    secret = (await client.post("/users/me/totp")).json()["secret"]
    return await client.post("/users/me/totp/confirm", json={"code": pyotp.TOTP(secret).now()})


async def by_adding_an_app_on_the_page(_: World, client: AsyncClient) -> Response:
    secret = (await client.post("/users/me/totp")).json()["secret"]
    return await client.post("/account/authenticator-app", data={"step": "confirm", "code": pyotp.TOTP(secret).now()})


async def by_adding_a_passkey(_: World, client: AsyncClient) -> Response:
    options = (await client.post("/users/me/passkeys/options")).json()
    return await client.post("/users/me/passkeys", json={"name": "Phone", "passkey": Authenticator().create(options)})


async def by_a_provider(world: World, client: AsyncClient) -> Response:
    with evil_provider() as provider:
        configure(world, provider)
        browser = Browser(world, provider)
        browser.client = client
        await browser.come_back(await browser.leave("/auth/associate/evil/authorize", kind="cookie"))
        parameters = await browser.leave("/auth/reauthenticate/evil/authorize", kind="cookie")
        return await browser.come_back(parameters)


@pytest.fixture
async def client(world: World) -> AsyncClient:
    """A browser in which Arthur is signed in."""
    return await signed_in(world, await world.user("arthur", is_verified=True))


async def signed_in(world: World, user: User) -> AsyncClient:
    client = world.client_at("192.0.2.1")
    client.base_url = "https://testserver"
    await client.post("/auth/cookie/login", data={"username": user.email, "password": PASSWORD})
    return client


async def status_with(world: World, cookie: str) -> int:
    return (await world.client.get("/users/me", headers={"Cookie": f"{COOKIE}={cookie}"})).status_code


@pytest.mark.parametrize(
    "act",
    [
        by_password,
        on_the_page,
        by_adding_an_app,
        by_adding_an_app_on_the_page,
        by_adding_a_passkey,
        by_a_provider,
    ],
)
async def test_authentication_in_a_session_replaces_its_cookie(world: World, client: AsyncClient, act: Act) -> None:
    old = client.cookies[COOKIE]
    attributes = cookie_attributes(await signed_in_response(world))

    response = await act(world, client)

    assert response.status_code < 400, response.text
    assert cookie_attributes(response) == attributes
    assert client.cookies[COOKIE] != old
    assert (await status_with(world, old), await status_with(world, client.cookies[COOKIE])) == (401, 200)


async def signed_in_response(world: World) -> Response:
    form = {"username": "arthur@camelot.example.com", "password": PASSWORD}
    return await world.client.post("/auth/cookie/login", data=form)


def cookie_attributes(response: Response) -> str:
    [header] = [each for each in response.headers.get_list("set-cookie") if each.startswith(f"{COOKIE}=")]
    return header.partition(";")[2]


async def test_refused_authentication_keeps_the_cookie(world: World, client: AsyncClient) -> None:
    response = await client.post("/auth/elevate", json={"current_password": "not Arthur's password"})

    assert response.status_code == 400
    assert "set-cookie" not in response.headers
    assert await status_with(world, client.cookies[COOKIE]) == 200


async def test_cookie_can_be_replaced_again(world: World, client: AsyncClient) -> None:
    cookies = [client.cookies[COOKIE]]
    for _ in range(2):
        await by_password(world, client)
        cookies.append(client.cookies[COOKIE])

    assert [await status_with(world, cookie) for cookie in cookies] == [401, 401, 200]


async def test_concurrent_authentications_set_the_same_cookie(busy_world: World) -> None:
    client = await signed_in(busy_world, await busy_world.user("arthur"))
    cookie = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}

    responses = await asyncio.gather(
        *(busy_world.client.post("/auth/elevate", json=PROOF, headers=cookie) for _ in range(3))
    )

    done = [response for response in responses if response.status_code == 204]
    assert done
    assert {response.status_code for response in responses} <= {204, 401}  # one may arrive after another has ended
    [renewed] = {response.headers["set-cookie"] for response in done}
    assert await status_with(busy_world, renewed.partition(";")[0].partition("=")[2]) == 200


async def test_access_tokens_stay_valid(world: World) -> None:
    headers = await world.sign_in(await world.user("arthur"))

    response = await world.client.post("/auth/elevate", json=PROOF, headers=headers)

    assert response.status_code == 204
    assert "set-cookie" not in response.headers
    assert (await world.client.get("/users/me", headers=headers)).status_code == 200
