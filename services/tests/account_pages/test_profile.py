"""The profile, the language of pages, and the footer that chooses it."""

import re

import pytest
from httpx2 import Response
from sqlalchemy import update
from sqlmodel import col

from accounts.api.languages import COOKIE
from accounts.db.session import transaction
from accounts.models import MailKind, User
from support.account_pages import ARTHUR, alert, done_cookie, enter, get, post, what_was_done
from support.html import Page
from support.people import World
from support.schema import recorded_statements
from support.second_factors import user_with_app

NEW = "rex@camelot.example.com"
OLD_SIGN_IN = "UPDATE user_session SET authenticated_at = '2020-01-01Z'"
DAY_LATER = "UPDATE one_time_token SET requested_at = requested_at - interval '24 hours'"
HOSTILE = "<script>alert(1)</script>\"'&\u05d0"
TIME = re.compile("<time.*?</time>")
LINK = "/account/reset-password?token=abc&invitation=x%2By"


def language_cookie(answer: Response) -> str:
    [cookie] = [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{COOKIE}=")]
    return str(cookie)


async def read(world: World, path: str, cookie: str = "", language: str = "") -> Page:
    headers = {"Cookie": cookie, "Accept-Language": language}
    answer = await world.client.get(path, headers={name: value for name, value in headers.items() if value})
    return Page(answer.text)


async def statements(world: World, path: str, cookie: str) -> int:
    async with transaction(world.sessionmaker) as db, recorded_statements(db) as run:
        assert (await get(world, path, cookie)).status_code == 200
    return len(run)


class TestNameAndLanguage:
    async def test_profile_is_shown_and_saved(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)

        saved = await post(world, "/profile", cookie, display_name="Rex", language="de")
        page = await read(world, "/account/profile", f"{cookie}; {done_cookie(saved)}", "en")

        assert (saved.headers["location"], what_was_done(saved)) == ("/account/profile", "profile-saved")
        assert page.one("html").attributes["lang"] == "de"
        assert page.one("input", name="display_name").attributes["value"] == "Rex"
        assert page.one("option", selected="").text == "Deutsch"
        assert page.one(role="status").text

    async def test_own_language_comes_before_the_browsers_and_the_cookie_on_every_page(self, world: World) -> None:
        await world.user("arthur", language="de")
        cookie = f"{await enter(world)}; {COOKIE}=en"

        pages = [await read(world, path, cookie, "en") for path in ("/account", "/account/nothing-here")]

        assert [page.one("html").attributes["lang"] for page in pages] == ["de", "de"]

    async def test_refused_form_is_in_the_own_language_and_keeps_what_was_entered(self, world: World) -> None:
        await world.user("arthur", language="de")

        refused = await post(world, "/profile", await enter(world), display_name="A" * 101, language="xx")

        page = Page(refused.text)
        assert refused.status_code == 422
        assert page.one("html").attributes["lang"] == "de"
        assert page.one("input", name="display_name").attributes["value"] == "A" * 101
        assert len(page.find(class_="fault")) == 2

    async def test_language_of_the_browser_is_followed_again(self, world: World) -> None:
        await world.user("arthur", language="de")
        cookie = await enter(world)

        saved = await post(world, "/profile", cookie, display_name="", language="browser")

        assert "Max-Age=0" in language_cookie(saved)
        assert (await read(world, "/account/profile", cookie, "en")).one("html").attributes["lang"] == "en"

    async def test_empty_form_changes_nothing(self, world: World) -> None:
        await world.user("arthur", language="de")
        cookie = await enter(world)

        assert (await post(world, "/profile", cookie)).status_code == 422
        page = await read(world, "/account/profile", cookie)
        assert page.one("input", name="display_name").attributes["value"] == "Arthur"
        assert page.one("option", selected="").attributes["value"] == "de"

    async def test_hostile_name_is_inert(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)

        await post(world, "/profile", cookie, display_name=HOSTILE, language="browser")
        page = await read(world, "/account/profile", cookie)

        assert page.one("input", name="display_name").attributes["value"] == HOSTILE
        assert not page.find("script")

    async def test_name_and_language_need_no_recent_sign_in(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        await world.sql(OLD_SIGN_IN)

        assert (await post(world, "/profile", cookie, display_name="Rex", language="de")).status_code == 303

    @pytest.mark.parametrize("path", ["/profile", "/change-email"])
    async def test_signed_out_user_signs_in_first(self, world: World, path: str) -> None:
        asked, sent = await get(world, path), await post(world, path, email=NEW)

        assert asked.headers["location"] == f"/account/sign-in?next=%2F{path[1:]}"
        assert sent.headers["location"] == "/account/sign-in"

    async def test_profile_takes_as_many_statements_with_a_pending_change(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)

        before = await statements(world, "/profile", cookie)
        await post(world, "/change-email", cookie, email=NEW)

        assert await statements(world, "/profile", cookie) == before


class TestEmail:
    async def test_change_waits_for_its_confirmation_and_the_page_says_so(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)

        form = await get(world, "/change-email", cookie)
        sent = await post(world, "/change-email", cookie, email=NEW)
        page = await read(world, "/account/profile", cookie)

        assert "We let the old address know." in form.text
        assert (sent.headers["location"], what_was_done(sent)) == ("/account/profile", "email-requested")
        assert NEW in page.one(class_="notice").text
        assert ARTHUR in page.one(class_="notice").text
        assert [(mail.kind, mail.email) for mail in await world.mails(MailKind.CONFIRM_EMAIL)] == [
            (MailKind.CONFIRM_EMAIL, NEW)
        ]

    async def test_confirmed_change_is_not_pending_and_the_old_address_gets_mail(self, world: World) -> None:
        await world.user("arthur")
        await post(world, "/change-email", await enter(world), email=NEW)

        await post(world, "/confirm-email", token=await world.token())
        page = await read(world, "/account/profile", await enter(world, NEW))

        assert not page.find(class_="notice")
        assert [mail.email for mail in await world.mails(MailKind.EMAIL_CHANGED)] == [ARTHUR]

    async def test_page_does_not_show_whether_another_account_has_the_address(self, world: World) -> None:
        await world.user("arthur")
        await world.user("kay")
        cookie = await enter(world)
        shown = []
        for email in ("kay@camelot.example.com", NEW):
            sent = await post(world, "/change-email", cookie, email=email)
            # The lifetime of a token starts when its mail is sent, which only one of them has.
            await world.sql("UPDATE one_time_token SET expires_at = expires_at + interval '1 hour'")
            pending = await get(world, "/profile", cookie)
            await world.sql(DAY_LATER)
            later = await get(world, "/profile", cookie)
            shown.append((sent.headers["location"], TIME.sub("", pending.text).replace(email, ""), later.text))

        assert shown[0] == shown[1]
        assert "Waiting" in shown[0][1]
        assert "Waiting" not in shown[0][2]

    async def test_pending_change_is_sent_again_or_cancelled(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        await post(world, "/change-email", cookie, email=NEW)
        page = await read(world, "/account/profile", cookie)
        again, cancel = (f"/account/profile/{name}-email-change" for name in ("resend", "cancel"))

        assert page.one("time").text.startswith("Requested on ")
        assert {again, cancel} <= {form.attributes["action"] for form in page.find("form", method="post")}
        resent = await post(world, "/profile/resend-email-change", cookie)
        cancelled = await post(world, "/profile/cancel-email-change", cookie)
        after = await read(world, cancelled.headers["location"], f"{cookie}; {done_cookie(cancelled)}")

        assert (resent.headers["location"], what_was_done(resent)) == ("/account/profile", "email-requested")
        assert len(await world.mails(MailKind.CONFIRM_EMAIL)) == 2
        assert after.one(role="status").text == "You've cancelled the change. Your email address stays as it is."
        assert not after.find(class_="notice")
        assert (await post(world, "/confirm-email", token=await world.token())).status_code == 400

    async def test_change_that_is_not_pending_any_more_is_not_sent_again(self, world: World) -> None:
        await world.user("arthur")

        answer = await post(world, "/profile/resend-email-change", await enter(world))

        assert answer.status_code == 404
        assert "No change of your email address is waiting any more" in answer.text

    async def test_user_confirms_who_they_are_first(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        await world.sql(OLD_SIGN_IN)

        asked = await get(world, "/change-email", cookie)
        sent = await post(world, "/change-email", cookie, email=NEW)

        assert [each.headers["location"] for each in (asked, sent)] == ["/account/confirm?next=%2Fchange-email"] * 2
        assert await world.mails(MailKind.CONFIRM_EMAIL) == []

    async def test_user_with_a_second_factor_proves_it_first(self, world: World) -> None:
        phone = await user_with_app(world)

        began = await post(world, "/sign-in", username=ARTHUR, password="guinevere-and-lancelot")
        half = began.headers["set-cookie"].partition(";")[0]
        done = await post(world, "/second-factor", half, code=await phone.code())
        cookie = done.headers["set-cookie"].partition(";")[0]
        await world.sql("UPDATE user_session SET aal = 1")

        assert (await get(world, "/change-email", cookie)).headers["location"].startswith("/account/confirm")

    @pytest.mark.parametrize(
        ("email", "status", "message"),
        [
            (ARTHUR, 422, "This is your email address already."),
            ("nonsense", 422, "Enter an email address like name@example.com."),
            ("", 422, "Please fill in this field."),
        ],
    )
    async def test_refusal_is_at_the_field(self, world: World, email: str, status: int, message: str) -> None:
        await world.user("arthur")

        refused = await post(world, "/change-email", await enter(world), email=email)

        page = Page(refused.text)
        assert refused.status_code == status
        assert page.one(class_="fault").text == message
        assert f"Your email address is {ARTHUR}." in refused.text
        assert alert(refused)

    async def test_mail_that_a_user_causes_is_limited(self, world: World) -> None:
        world.change_settings(throttle_scale=1)
        await world.user("arthur")
        cookie = await enter(world)

        answers = [await post(world, "/change-email", cookie, email=NEW) for _ in range(6)]

        assert [each.status_code for each in answers] == [303] * 5 + [429]
        assert "Too many attempts." in answers[-1].text


class TestFooter:
    async def test_signed_out_user_chooses_the_language_and_stays_on_the_page(self, world: World) -> None:
        page = await read(world, LINK)
        [button] = page.footer("button")
        [target] = page.footer("input")

        chosen = await post(world, "/language", language=button.attributes["value"], next=target.attributes["value"])
        cookie = language_cookie(chosen)

        assert (button.text, button.attributes["lang"], page.footer("span")[0].text) == ("Deutsch", "de", "English")
        assert chosen.headers["location"] == LINK
        assert all(part in cookie for part in ("HttpOnly", "Secure", "Path=/", "SameSite=lax"))
        after = await read(world, LINK, cookie.partition(";")[0], "en")
        assert after.one("html").attributes["lang"] == "de"
        assert [each.text for each in after.footer("button")] == ["English"]

    async def test_signed_in_user_keeps_the_choice_in_the_account(self, world: World) -> None:
        await world.user("arthur", language="en")
        cookie = await enter(world)

        await post(world, "/language", cookie, language="de", next="/account/sessions")

        assert (await read(world, "/account", cookie, "en")).one("html").attributes["lang"] == "de"

    async def test_refused_form_offers_its_page_with_what_it_was_opened_with(self, world: World) -> None:
        refused = await post(world, "/sign-in", username=ARTHUR, password="not-the-password", next="/sessions")

        [target] = Page(refused.text).footer("input")
        assert target.attributes["value"] == "/account/sign-in?next=%2Fsessions"

    async def test_page_that_only_this_response_can_show_offers_no_language(self, world: World) -> None:
        await world.user("arthur")
        form = {"name": "laptop", "scopes": "profile:read", "expires_in_days": "30"}

        created = await post(world, "/new-token", await enter(world), **form)

        assert created.status_code == 200, created.text
        assert Page(created.text).footer("button") == []

    @pytest.mark.parametrize(
        "target", ["//evil.example", "https://evil.example", "/accounts", "/account\r\nX: y", "/users/me", "/account?ä"]
    )
    async def test_choice_leads_to_no_other_place(self, world: World, target: str) -> None:
        answer = await post(world, "/language", language="de", next=target)

        assert answer.status_code == 422
        assert "location" not in answer.headers

    async def test_form_of_another_site_is_refused(self, world: World) -> None:
        answer = await world.client.post(
            "/account/language", data={"language": "de"}, headers={"Sec-Fetch-Site": "cross-site"}
        )

        assert answer.status_code == 403

    async def test_unknown_language_in_the_cookie_is_ignored(self, world: World) -> None:
        page = await read(world, "/account/sign-in", f"{COOKIE}=<script>", "de")

        assert page.one("html").attributes["lang"] == "de"

    async def test_language_without_a_catalogue_any_more_is_english(self, world: World) -> None:
        arthur = await world.user("arthur")
        cookie = await enter(world)
        async with transaction(world.sessionmaker) as db:
            await db.exec(update(User).where(col(User.id) == arthur.id).values(language="tlh"))

        assert (await read(world, "/account/profile", cookie, "de")).one("html").attributes["lang"] == "en"


async def test_footer_has_the_legal_links_that_the_settings_have(world: World) -> None:
    settings = world.state["settings"]
    world.change_settings(terms_url="https://example.com/terms?a=1&b=2", privacy_url="")

    links = (await read(world, "/account/sign-in")).footer("a")

    assert settings is not world.state["settings"]
    assert [(each.text, each.attributes["href"]) for each in links] == [("Terms", "https://example.com/terms?a=1&b=2")]
