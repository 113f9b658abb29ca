"""Pages of second factors: sign-in with one, confirmation before sensitive changes, and setting one up."""

import pyotp
import pytest
from httpx2 import Response

from accounts.models import MailKind
from support.account_pages import ARTHUR, alert, cookie_after, enter, get, post
from support.html import Page
from support.people import PASSWORD, World
from support.second_factors import age

NEW_PASSWORD = "lancelot-and-elaine"


async def set_up(world: World, cookie: str) -> tuple[pyotp.TOTP, list[str], str]:
    """Set an authenticator app up, and return it with the recovery codes and the session's new cookie."""
    started = await post(world, "/authenticator-app", cookie, step="start")
    assert started.headers["location"] == "/account/authenticator-app", started.text
    page = Page((await get(world, "/authenticator-app", cookie)).text)
    app = pyotp.TOTP(page.one("code").text.replace(" ", ""))
    added = await post(world, "/authenticator-app", cookie, step="confirm", code=app.now())
    assert added.status_code == 200, added.text
    return app, [each.text for each in Page(added.text).find("code")], cookie_after(added)


async def fresh_code(world: World, app: pyotp.TOTP) -> str:
    await world.sql("UPDATE totp SET last_step = 0")
    return app.now()


def cookies(answer: Response) -> str:
    return "; ".join(each.partition(";")[0] for each in answer.headers.get_list("set-cookie"))


async def begin(world: World, **form: str) -> Response:
    return await post(world, "/sign-in", username=ARTHUR, password=PASSWORD, **form)


class TestSignIn:
    async def test_password_leads_to_the_page_that_asks_for_the_second_factor(self, world: World) -> None:
        await world.user("arthur")
        app, *_ = await set_up(world, await enter(world))

        began = await begin(world)
        shown = Page((await get(world, "/second-factor", cookies(began))).text)
        done = await post(world, "/second-factor", cookies(began), code=await fresh_code(world, app))

        assert (began.status_code, began.headers["location"]) == (303, "/account/second-factor")
        [cookie] = began.headers.get_list("set-cookie")
        assert cookie.startswith("__Host-accounts-mfa=")
        assert {"HttpOnly", "Secure", "Path=/", "Max-Age=300", "SameSite=lax"} <= {*cookie.split("; ")}
        assert shown.one("input", name="code").attributes["autocomplete"] == "one-time-code"
        assert (done.status_code, done.headers["location"]) == (303, "/account")
        session, expired = done.headers.get_list("set-cookie")
        assert "Max-Age=0" in expired
        assert (await get(world, "", session.partition(";")[0])).status_code == 200

    async def test_recovery_code_signs_in(self, world: World) -> None:
        await world.user("arthur")
        _, codes, _ = await set_up(world, await enter(world))

        done = await post(world, "/second-factor", cookies(await begin(world)), recovery_code=codes[0])

        assert done.headers["location"] == "/account"

    async def test_refused_code_is_explained_and_not_shown_again(self, world: World) -> None:
        await world.user("arthur")
        await set_up(world, await enter(world))

        refused = await post(world, "/second-factor", cookies(await begin(world)), code="000000")
        empty = await post(world, "/second-factor", cookies(await begin(world)))

        assert refused.status_code == 400
        assert alert(refused) == "This code is wrong or has been used already. Please try another one."
        assert "000000" not in refused.text
        assert Page(empty.text).one(id="code-fault").text == "Please fill in this field."

    async def test_without_a_sign_in_that_waits_the_page_leads_to_the_sign_in(self, world: World) -> None:
        for answer in (await get(world, "/second-factor"), await post(world, "/second-factor", code="123456")):
            assert answer.status_code == 400
            assert Page(answer.text).one("a", class_="button").attributes["href"] == "/account/sign-in"

    async def test_five_wrong_codes_end_the_sign_in(self, world: World) -> None:
        await world.user("arthur")
        app, *_ = await set_up(world, await enter(world))
        waiting = cookies(await begin(world))
        for _ in range(5):
            await post(world, "/second-factor", waiting, code="000000")

        refused = await post(world, "/second-factor", waiting, code=await fresh_code(world, app))

        assert Page(refused.text).one("h1").text == "Please sign in again"

    async def test_invitation_is_continued_after_the_second_factor(self, world: World) -> None:
        await world.user("arthur")
        app, *_ = await set_up(world, await enter(world))
        token = "x" * 43

        began = await begin(world, invitation=token)
        page = Page((await get(world, "/second-factor?invitation=" + token, cookies(began))).text)
        form = {"invitation": token, "code": await fresh_code(world, app)}
        done = await post(world, "/second-factor", cookies(began), **form)

        assert began.headers["location"] == f"/account/second-factor?invitation={token}"
        assert {each.attributes["value"] for each in page.find("input", name="invitation")} == {token}
        assert done.headers["location"] == f"/account/invitation?token={token}"


class TestConfirmation:
    async def test_user_with_a_factor_confirms_before_the_form_that_changes_the_password(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        app, _, cookie = await set_up(world, cookie)
        await age(world)

        asked = await get(world, "/change-password", cookie)
        posted = await post(world, "/change-password", cookie, password=NEW_PASSWORD)
        page = Page((await get(world, "/confirm?next=/change-password", cookie)).text)
        form = {"next": "/change-password", "code": await fresh_code(world, app)}
        confirmed = await post(world, "/confirm", cookie, **form)
        cookie = cookie_after(confirmed)
        shown = Page((await get(world, "/change-password", cookie)).text)
        changed = await post(world, "/change-password", cookie, password=NEW_PASSWORD)

        for answer in (asked, posted):
            assert answer.headers["location"] == "/account/confirm?next=%2Fchange-password"
        assert not page.find("input", name="current_password")
        assert confirmed.headers["location"] == "/account/change-password"
        assert not shown.find("input", name="current_password")
        assert changed.headers["location"] == "/account/done/password-changed"

    async def test_user_without_a_factor_confirms_with_the_password(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        await age(world)

        asked = await get(world, "/authenticator-app", cookie)
        refused = await post(world, "/confirm", cookie, next="/authenticator-app", current_password="not-the-password")
        confirmed = await post(world, "/confirm", cookie, next="/authenticator-app", current_password=PASSWORD)

        assert asked.headers["location"] == "/account/confirm?next=%2Fauthenticator-app"
        assert Page(refused.text).one(id="current_password-fault").text == "This isn't your current password."
        assert Page(refused.text).one("input", name="next").attributes["value"] == "/authenticator-app"
        assert confirmed.headers["location"] == "/account/authenticator-app"
        assert (await get(world, "/authenticator-app", cookie_after(confirmed))).status_code == 200

    async def test_password_does_not_confirm_for_a_user_with_a_factor(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        *_, cookie = await set_up(world, cookie)
        await age(world)

        refused = await post(world, "/confirm", cookie, next="/authenticator-app", current_password=PASSWORD)

        assert refused.headers["location"] == "/account/confirm?next="
        assert (await get(world, "/authenticator-app", cookie)).status_code == 303

    @pytest.mark.parametrize(
        "target",
        [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "\\evil",
            "@evil",
            ".evil.example",
            "/a//b",
            "/a?b",
            "/%2e",
        ],
    )
    async def test_confirmation_leads_to_no_other_site(self, world: World, target: str) -> None:
        await world.user("arthur")
        cookie = await enter(world)

        answers = [
            await world.client.get("/account/confirm", params={"next": target}, headers={"Cookie": cookie}),
            await post(world, "/confirm", cookie, next=target, current_password=PASSWORD),
        ]

        assert [each.status_code for each in answers] == [422, 422]


async def test_user_without_anything_to_confirm_with_is_led_to_a_new_sign_in(world: World) -> None:
    await world.user("arthur")
    cookie = await enter(world)
    await world.sql("UPDATE \"user\" SET hashed_password = '!'")

    confirming = Page((await get(world, "/confirm", cookie)).text)

    assert confirming.one("form").attributes["action"] == "/account/sign-out"


class TestSettingUp:
    async def test_user_sets_an_app_up_sees_the_codes_once_and_removes_it(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        before = (await get(world, "/security", cookie)).text

        _, codes, cookie = await set_up(world, cookie)
        after = (await get(world, "/security", cookie)).text
        page = Page((await get(world, "/authenticator-app", cookie)).text)
        removed = await post(world, "/remove-authenticator-app", cookie)

        assert "Set up an authenticator app" in before
        assert len(set(codes)) == 10
        assert "Codes left: 10" in after
        assert not [code for code in codes if code in after]
        assert page.one("button", class_="danger").text == "Remove the authenticator app"
        assert removed.headers["location"] == "/account/done/app-removed"
        assert (await begin(world)).headers["location"] == "/account"

    async def test_qr_code_is_an_image_that_the_content_security_policy_allows(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        await post(world, "/authenticator-app", cookie, step="start")

        shown = await get(world, "/authenticator-app", cookie)

        image = Page(shown.text).one("img").attributes
        assert image["src"].startswith("data:image/svg+xml")
        assert image["alt"]
        assert "img-src 'self' data:" in shown.headers["Content-Security-Policy"]
        assert shown.headers["Cache-Control"] == "no-store"

    async def test_refused_code_shows_the_same_qr_code_again(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        await post(world, "/authenticator-app", cookie, step="start")
        shown = await get(world, "/authenticator-app", cookie)

        refused = await post(world, "/authenticator-app", cookie, step="confirm", code="000000")
        empty = await post(world, "/authenticator-app", cookie, step="confirm")

        assert alert(refused) == "This code is wrong or has been used already. Please try another one."
        assert Page(refused.text).one("code").text == Page(shown.text).one("code").text
        assert Page(empty.text).one(id="code-fault")

    async def test_secret_is_shown_to_a_recent_sign_in_only(self, world: World) -> None:
        """Otherwise a stolen session would give away what is to become the second factor."""
        await world.user("arthur")
        cookie = await enter(world)
        await post(world, "/authenticator-app", cookie, step="start")
        await age(world)

        assert (await get(world, "/authenticator-app", cookie)).status_code == 303

    async def test_user_creates_new_recovery_codes(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        none = await get(world, "/recovery-codes", cookie)
        refused = await post(world, "/recovery-codes", cookie)
        _, old, cookie = await set_up(world, cookie)

        shown = await get(world, "/recovery-codes", cookie)
        created = await post(world, "/recovery-codes", cookie)

        new = [each.text for each in Page(created.text).find("code")]
        assert "You get them when you add a second factor." in none.text
        assert refused.status_code == 409
        assert "Codes left: 10" in shown.text
        assert len(new) == 10
        assert not set(new) & set(old)
        assert len(await world.mails(MailKind.SECURITY_CHANGED)) == 1  # and one more in it

    async def test_stale_removal_leads_to_the_confirmation_and_back_to_the_app(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        *_, cookie = await set_up(world, cookie)
        await age(world)

        asked = await post(world, "/remove-authenticator-app", cookie)

        assert asked.headers["location"] == "/account/confirm?next=%2Fremove-authenticator-app"
        back = await get(world, "/remove-authenticator-app", cookie)
        assert back.headers["location"] == "/account/authenticator-app"


async def test_user_without_a_password_is_offered_a_link_to_choose_one(world: World) -> None:
    await world.user("arthur")
    cookie = await enter(world)
    await world.sql("UPDATE \"user\" SET hashed_password = '!'")

    page = Page((await get(world, "/change-password", cookie)).text)

    assert page.one("form").attributes["action"] == "/account/forgot-password"
    assert page.one("input", name="email").attributes["value"] == "arthur@camelot.example.com"
