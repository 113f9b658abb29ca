"""The way around: the navigation, and where a sign-in leads."""

import json

import pytest

from accounts.models import Role
from support.account_pages import ARTHUR, cookie_after, enter, get, post
from support.html import Page
from support.mailed_codes import Codes
from support.passkeys import sign_in_options, with_passkey
from support.people import PASSWORD, World
from support.second_factors import user_with_app

NEXT = "/groups/5/members"
SENT = "next=%2Fgroups%2F5%2Fmembers"
GOAL = f"/account{NEXT}"


async def test_navigation_names_the_page_that_is_shown_and_signs_out(world: World) -> None:
    await world.user("arthur")

    page = Page((await get(world, "/sessions", await enter(world))).text)

    [current] = [each for each in page.navigation() if each.attributes.get("aria-current")]
    assert (current.text, current.attributes["aria-current"]) == ("Devices", "page")
    assert [each.text for each in page.navigation() if each.tag == "button"] == ["Sign out"]
    assert "Administration" not in [each.text for each in page.navigation()]


async def test_navigation_names_the_list_that_a_page_belongs_to(world: World) -> None:
    arthur = await world.user("arthur")
    group = await world.group("Round Table", members={arthur: Role.OWNER})

    page = Page((await get(world, f"/groups/{group.id}", await enter(world))).text)

    [current] = [each for each in page.navigation() if each.attributes.get("aria-current")]
    assert (current.text, current.attributes["aria-current"]) == ("Groups", "true")


async def test_signed_out_user_has_no_navigation(world: World) -> None:
    assert [each.text for each in Page((await get(world, "/sign-in")).text).navigation()] == ["accounts"]


async def test_superuser_finds_the_administration(world: World) -> None:
    user = await world.user("arthur", superuser=True)

    page = Page((await get(world, "", await enter(world, user.email))).text)

    assert "/admin" in [each.attributes.get("href") for each in page.navigation()]


async def test_overview_says_what_each_page_is_for(world: World) -> None:
    await world.user("arthur")

    page = Page((await get(world, "", await enter(world))).text)

    assert page.one("a", href="/account/security")
    assert "Second factors, and what else protects your account." in page.one("ul", class_="grid").text


class TestNext:
    async def test_page_that_requires_a_sign_in_is_shown_after_it(self, world: World) -> None:
        await world.user("arthur")

        asked = await get(world, "/sessions")
        form = Page((await world.client.get(asked.headers["location"])).text)
        kept = form.find("input", name="next")[0].attributes["value"]
        entered = await post(world, "/sign-in", username=ARTHUR, password=PASSWORD, next=kept)

        assert asked.headers["location"] == "/account/sign-in?next=%2Fsessions"
        assert entered.headers["location"] == "/account/sessions"

    async def test_refused_sign_in_keeps_it(self, world: World) -> None:
        refused = await post(world, "/sign-in", username=ARTHUR, password="not-the-password", next=NEXT)

        assert Page(refused.text).find("input", name="next")[0].attributes["value"] == NEXT

    async def test_signed_in_user_gets_there_at_once(self, world: World) -> None:
        await world.user("arthur")

        assert (await get(world, f"/sign-in?{SENT}", await enter(world))).headers["location"] == GOAL

    async def test_second_factor_keeps_it(self, world: World) -> None:
        phone = await user_with_app(world)

        began = await post(world, "/sign-in", username=ARTHUR, password=PASSWORD, next=NEXT)
        cookie = began.headers["set-cookie"].partition(";")[0]
        page = Page((await world.client.get(began.headers["location"], headers={"Cookie": cookie})).text)
        kept = page.find("input", name="next")[0].attributes["value"]
        done = await post(world, "/second-factor", cookie, code=await phone.code(), next=kept)

        assert done.headers["location"] == GOAL
        assert (await get(world, "", cookie_after(done))).status_code == 200

    async def test_passkey_keeps_it(self, world: World) -> None:
        arthur = await with_passkey(world)
        passkey = json.dumps(arthur.key.get(await sign_in_options(world)))

        assert (await post(world, "/sign-in/passkey", passkey=passkey, next=NEXT)).headers["location"] == GOAL

    async def test_mailed_code_keeps_it(self, world: World) -> None:
        await world.user("arthur", is_verified=True)
        codes = Codes(world)

        asked = await post(world, "/sign-in-code", email=ARTHUR, next=NEXT)
        cookie = asked.headers["set-cookie"].partition(";")[0]
        entered = await post(world, "/enter-code", cookie, code=await codes.last(), next=NEXT)

        assert asked.headers["location"] == f"/account/enter-code?{SENT}"
        assert entered.headers["location"] == GOAL

    @pytest.mark.parametrize(
        "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/a//b", "/admin.x"]
    )
    async def test_it_leads_to_no_other_site(self, world: World, target: str) -> None:
        await world.user("arthur")

        answers = [
            await world.client.get("/account/sign-in", params={"next": target}),
            await post(world, "/sign-in", username=ARTHUR, password=PASSWORD, next=target),
        ]

        assert [each.status_code for each in answers] == [422, 422]
