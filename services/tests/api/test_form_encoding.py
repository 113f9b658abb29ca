"""Forms are UTF-8, percent-encoded or not; others are refused."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from httpx2 import ASGITransport, AsyncClient
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from support.operations import Operation, name_of, operations, page_operations
from support.people import World

URL_ENCODED = "application/x-www-form-urlencoded"
PASSWORD = "pässwört-der-tafelrunde"
NAME = "Zoë 😀 ȷ"
FORMS = [each for each in (*operations(), *page_operations()) if each.is_form]


def raw(fields: dict[str, str]) -> tuple[str, bytes]:
    return URL_ENCODED, "&".join(f"{name}={value}" for name, value in fields.items()).replace(" ", "+").encode()


def percent_encoded(fields: dict[str, str]) -> tuple[str, bytes]:
    return URL_ENCODED, "&".join(f"{name}={quote(value)}" for name, value in fields.items()).encode()


def multipart(fields: dict[str, str], parameter: str = "") -> tuple[str, bytes]:
    parts = (
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    return f"multipart/form-data; boundary=x{parameter}", ("".join(parts) + "--x--\r\n").encode()


async def post(client: AsyncClient, path: str, media_type: str, content: bytes | AsyncIterator[bytes]) -> Any:
    return await client.post(path, content=content, headers={"Content-Type": media_type})


def test_walk_finds_the_forms_of_the_api_and_of_the_pages() -> None:
    found = {"post /auth/jwt/login", "post /auth/jwt/refresh", "post /auth/cookie/login", "post /account/register"}
    assert found <= set(map(name_of, FORMS))


@pytest.mark.parametrize("operation", FORMS, ids=name_of)
async def test_every_form_is_read_as_utf8(world: World, monkeypatch: pytest.MonkeyPatch, operation: Operation) -> None:
    read: list[dict[str, Any]] = []
    parse = Request._get_form

    async def noting(request: Request, **limits: Any) -> FormData:
        form = await parse(request, **limits)
        read.append(dict(form))
        return form

    monkeypatch.setattr(Request, "_get_form", noting)
    fields = dict.fromkeys((*operation.fields(), "ö"), NAME)

    for encode in (raw, percent_encoded, multipart):
        await post(world.client, operation.url, *encode(fields))
        assert read.pop() == fields, encode
        read.clear()


@pytest.mark.parametrize("operation", FORMS, ids=name_of)
@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        (URL_ENCODED, "password=pässwört".encode("latin-1")),
        (URL_ENCODED, b"password=p%E4sswort"),
        (URL_ENCODED, b"%ff=x"),
        (URL_ENCODED, b"password=%C3x%A4"),
        (multipart({})[0], multipart({"password": "x"})[1].replace(b"\r\n\r\nx", b"\r\n\r\n\xe4")),
    ],
)
async def test_every_form_that_is_not_utf8_is_refused(
    world: World, operation: Operation, media_type: str, content: bytes
) -> None:
    response = await post(world.client, operation.url, media_type, content)

    assert response.status_code == 400
    assert response.headers["Content-Type"].startswith("text/html") or response.json()["reason"] == (
        "The form is not UTF-8."
    )


async def test_user_signs_in_with_raw_utf8_everywhere(world: World) -> None:
    content = f"email=jürg@example.com&password={PASSWORD}&display_name=Zoë".encode()
    assert (await post(world.client, "/account/register", URL_ENCODED, content)).status_code == 303

    for path, status in (("/auth/jwt/login", 200), ("/auth/cookie/login", 204), ("/account/sign-in", 303)):
        for encode in (raw, percent_encoded, multipart):
            form = {"username": "jürg@example.com", "password": PASSWORD}
            assert (await post(world.client, path, *encode(form))).status_code == status, (path, encode)

    headers = await world.sign_in("jürg@example.com", PASSWORD)
    me = (await world.client.get("/users/me", headers=headers)).json()
    assert (me["email"], me["display_name"]) == ("jürg@example.com", "Zoë")


async def test_form_may_be_split_within_a_character(world: World) -> None:
    await world.client.post("/auth/register", json={"email": "jürg@example.com", "password": PASSWORD})
    content = f"username=jürg@example.com&password={PASSWORD}".encode()

    async def bytewise() -> AsyncIterator[bytes]:
        for byte in content:
            yield bytes([byte])

    assert (await post(world.client, "/auth/jwt/login", URL_ENCODED, bytewise())).status_code == 200


@pytest.mark.parametrize(
    ("charset", "status"),
    [
        ("UTF-8", 400),
        ("us-ascii", 415),  # Starlette reads other bytes as Latin-1
        ("punycode", 415),
        ("\xff", 415),
        ('"utf-8";', 400),
        ("utf-8;charset=punycode", 415),
    ],
)
async def test_multipart_forms_have_no_other_charset(client: AsyncClient, charset: str, status: int) -> None:
    media_type, content = multipart({"username": "a@example.com", "password": PASSWORD}, f"; charset={charset}")

    response = await client.post(
        "/auth/jwt/login", content=content, headers=[(b"Content-Type", media_type.encode("latin-1"))]
    )

    assert response.status_code == status


async def test_file_in_a_multipart_form_may_be_any_bytes(client: AsyncClient) -> None:
    media_type, content = multipart({"username": "a@example.com", 'password"; filename="a': "x"})

    response = await post(client, "/auth/cookie/login", media_type, content.replace(b"\r\n\r\nx", b"\r\n\r\n\xff"))

    assert response.status_code == 422  # read, and no password


@pytest.mark.parametrize("operation", FORMS, ids=name_of)
async def test_client_that_leaves_amid_a_form_is_no_server_error(world: World, operation: Operation) -> None:
    messages: Iterator[Message] = iter(
        [{"type": "http.request", "body": b"a=", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def leave(scope: Scope, _: Receive, send: Send) -> None:
        async def receive() -> Message:
            return next(messages)

        await world.app({**scope, "state": dict(world.state)}, receive, send)

    async with AsyncClient(transport=ASGITransport(leave), base_url="http://testserver") as client:
        answer = await post(client, operation.url, URL_ENCODED, b"a=b")

    assert answer.status_code < 500
