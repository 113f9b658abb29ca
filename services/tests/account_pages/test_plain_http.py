"""Browsers keep the cookie of a sign-in over TLS and at localhost only. Elsewhere the sign-in page says so."""

import pytest

from support.account_pages import ARTHUR, post
from support.html import Page
from support.people import PASSWORD, World

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


async def notices(world: World, url: str, headers: dict[str, str]) -> list[str]:
    answer = await world.client.get(f"{url}/account/sign-in", headers=headers)
    return [each.text for each in Page(answer.text).find(class_="notice")]


async def test_page_over_plain_http_says_that_signing_in_does_not_work_there(world: World) -> None:
    [notice] = await notices(world, "http://testserver", {})

    assert notice.startswith("You can't sign in here, because this page was loaded without encryption (http://)")
    assert "HTTPS and set PUBLIC_URL" in notice


async def test_sign_in_that_the_browser_forgets_comes_back_to_the_explanation(world: World) -> None:
    await world.user("arthur")

    entered = await post(world, "/sign-in", username=ARTHUR, password=PASSWORD)
    forgotten = await world.client.get(entered.headers["location"], headers={"Cookie": ""}, follow_redirects=True)

    assert Page(forgotten.text).find(class_="notice")


@pytest.mark.parametrize(
    ("url", "headers", "public_url"),
    [
        ("https://testserver", {}, "http://localhost:8000"),
        ("http://testserver", SAME_ORIGIN, "http://localhost:8000"),  # localhost, or a proxy that hides its TLS
        ("http://testserver", {}, "https://testserver"),  # the same proxy, and an old browser
    ],
)
async def test_page_over_tls_or_at_localhost_has_no_notice(
    world: World, url: str, headers: dict[str, str], public_url: str
) -> None:
    world.change_settings(public_url=public_url)

    assert await notices(world, url, headers) == []
