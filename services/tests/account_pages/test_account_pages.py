"""Account pages over HTTP: GET changes nothing, POST does what the API does, and errors are shown as text."""

import re
from urllib.parse import quote

import pytest
from httpx2 import Response

from accounts.api.account_pages.forms import FORMS
from accounts.api.account_pages.paths import page_url
from accounts.models import MailKind, Role, Visibility
from accounts.settings import SignUp
from support.account_pages import ARTHUR, alert, done_cookie, enter, get, post, what_was_done
from support.html import Page
from support.operations import page_operations
from support.people import PASSWORD, World

NEW = "rex@camelot.example.com"
NEW_PASSWORD = "lancelot-and-elaine"
LINKED = ["verify", "confirm-email", "undo-email", "reset-password", "invitation"]


class TestSigningIn:
    async def test_sign_in_sets_the_cookie_and_shows_the_account(self, world: World) -> None:
        await world.user("arthur")

        answer = await post(world, "/sign-in", username=ARTHUR, password=PASSWORD)
        shown = await get(world, "", answer.headers["set-cookie"].partition(";")[0])

        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert ARTHUR in shown.text

    async def test_refused_sign_in_shows_a_message_and_keeps_the_email(self, world: World) -> None:
        answer = await post(world, "/sign-in", username=ARTHUR, password="not-the-password")

        assert (answer.status_code, alert(answer)) == (400, "That email address and password don't match.")
        page = Page(answer.text)
        assert page.one("input", name="username").attributes["value"] == ARTHUR
        assert "not-the-password" not in answer.text
        assert page.one("title").text.startswith("Error: Sign in")

    async def test_signed_in_user_is_redirected_from_the_sign_in_page(self, world: World) -> None:
        await world.user("arthur")

        answer = await get(world, "/sign-in", await enter(world))

        assert (answer.status_code, answer.headers["location"]) == (303, "/account")

    @pytest.mark.parametrize("path", ["", "/sessions"])
    async def test_signed_out_user_is_redirected_to_the_sign_in_page(self, world: World, path: str) -> None:
        answer = await get(world, path)

        back = f"?next={quote(path, safe='')}" if path else ""
        assert (answer.status_code, answer.headers["location"]) == (303, f"/account/sign-in{back}")

    async def test_sign_in_attempts_are_rate_limited_and_the_page_says_when_to_try_again(self, world: World) -> None:
        world.change_settings(throttle_scale=1)

        answers = [await post(world, "/sign-in", username=ARTHUR, password="wrong-password") for _ in range(6)]

        assert [each.status_code for each in answers] == [400] * 5 + [429]
        assert re.fullmatch(r"Too many attempts\. Please try again in \d+ (minute|second)s?\.", alert(answers[-1]))
        assert int(answers[-1].headers["retry-after"]) > 0

    async def test_sign_out_revokes_the_session(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)

        answer = await post(world, "/sign-out", cookie)

        assert answer.headers["location"] == "/account/done/signed-out"
        assert (await get(world, "", cookie)).status_code == 303

    async def test_user_revokes_one_session_and_then_all_others(self, world: World) -> None:
        await world.user("arthur")
        here, *others = [await enter(world) for _ in range(4)]

        shown = await get(world, "/sessions", here)
        buttons = Page(shown.text).find("button", name="session")
        ids = [each.attributes["value"] for each in buttons]
        await post(world, "/sessions", here, session=ids[0])
        one = sorted([(await get(world, "/sessions", each)).status_code for each in others])
        await post(world, "/sessions", here, others="true")

        assert len(ids) == 3
        assert all(each.attributes["aria-label"].startswith("Sign out ") for each in buttons)
        assert one == [200, 200, 303]
        assert [(await get(world, "/sessions", each)).status_code for each in (here, *others)] == [200, 303, 303, 303]
        assert (await post(world, "/sessions", here)).status_code == 303


class TestSigningUp:
    async def test_registration_response_does_not_reveal_whether_the_email_is_taken(self, world: World) -> None:
        await world.user("arthur")

        answers = [await post(world, "/register", email=each, password=NEW_PASSWORD) for each in (ARTHUR, NEW)]

        assert [each.headers["location"] for each in answers] == ["/account/done/registered"] * 2
        assert [mail[:2] for mail in await world.mails()] == [
            (MailKind.ACCOUNT_EXISTS, ARTHUR), (MailKind.VERIFY, NEW),
        ]  # fmt: skip

    async def test_registration_asks_for_a_password_once_the_mailed_link_is_opened(self, world: World) -> None:
        world.change_settings(sign_up=SignUp.VERIFIED)
        form = Page((await get(world, "/register")).text)
        sent = await post(world, "/register", email=ARTHUR)
        done = await get(world, sent.headers["location"].removeprefix("/account"), done_cookie(sent))
        token = await world.token()

        page = Page((await get(world, f"/complete-registration?token={token}")).text)
        refused = await post(world, "/complete-registration", token=token, password="short")
        completed = await post(world, "/complete-registration", token=token, password=NEW_PASSWORD)
        dead = await post(world, "/complete-registration", token=token, password=NEW_PASSWORD)

        assert not form.find("input", name="password")
        assert "a link to choose a password and create your account" in done.text
        assert page.one("input", name="password")
        assert "12 to 128 characters" in Page(refused.text).one(id="password-fault").text
        assert completed.headers["location"] == "/account/done/verified"
        assert Page(dead.text).one("a", class_="button").attributes["href"] == "/account/register"
        assert (await world.login(ARTHUR, NEW_PASSWORD)).status_code == 200

    @pytest.mark.parametrize(
        ("sign_up", "alone", "with_invitation"),
        [
            (SignUp.VERIFIED, True, True),
            (SignUp.OPEN, True, True),
            (SignUp.INVITED, False, True),
            (SignUp.CLOSED, False, False),
        ],
    )
    async def test_pages_offer_a_sign_up_where_it_is_allowed(
        self, world: World, sign_up: SignUp, *, alone: bool, with_invitation: bool
    ) -> None:
        world.change_settings(sign_up=sign_up)

        for query, offered in (("", alone), ("?invitation=x", with_invitation)):
            sign_in = Page((await get(world, f"/sign-in{query}")).text)
            register = Page((await get(world, f"/register{query}")).text)
            assert bool(sign_in.find("a", href=f"/account/register{query}")) is offered
            assert bool(register.find("input", name="email")) is offered

    @pytest.mark.parametrize(
        ("sign_up", "text"),
        [
            (SignUp.INVITED, "New accounts need an invitation. If you have one, open the link in its email."),
            (SignUp.CLOSED, "New accounts are created by the people who run this service."),
        ],
    )
    async def test_page_without_a_form_says_how_accounts_are_created(
        self, world: World, sign_up: SignUp, text: str
    ) -> None:
        world.change_settings(sign_up=sign_up)

        page = Page((await get(world, "/register")).text)

        assert page.find("p")[0].text.strip() == text

    async def test_refused_sign_up_says_why(self, world: World) -> None:
        world.change_settings(sign_up=SignUp.CLOSED)

        refused = await post(world, "/register", email=ARTHUR)

        assert refused.status_code == 403
        assert alert(refused) == "New accounts are created by the people who run this service."

    async def test_refused_password_is_explained_beside_its_field(self, world: World) -> None:
        answer = await post(world, "/register", email=ARTHUR, password="short", display_name="Arthur <b>")

        assert answer.status_code == 400
        page = Page(answer.text)
        assert "12 to 128 characters" in page.one(id="password-fault").text
        assert alert(answer) == "Please check the fields marked below."
        assert page.one("input", name="display_name").attributes["value"] == "Arthur <b>"

    async def test_invalid_field_is_marked_and_described_by_its_message(self, world: World) -> None:
        answer = await post(world, "/register", email="no address", password=NEW_PASSWORD)

        assert answer.status_code == 422
        page = Page(answer.text)
        assert page.one(id="email-fault").text == "Enter an email address like name@example.com."
        email = page.one("input", name="email").attributes
        assert (email["aria-invalid"], email["aria-describedby"]) == ("true", "email-fault")

    async def test_email_with_letters_outside_of_ascii_signs_up_and_in(self, world: World) -> None:
        signed_up = await post(world, "/register", email="jürg@example.com", password=NEW_PASSWORD)

        assert signed_up.headers["location"] == "/account/done/registered"
        assert await enter(world, "jürg@example.com", NEW_PASSWORD)

    async def test_required_fields_and_hints_are_marked_as_such(self, world: World) -> None:
        page = Page((await get(world, "/register")).text)

        inputs = {each.attributes["id"]: each.attributes for each in page.find("input")}
        assert {name for name, each in inputs.items() if "required" in each} == {"email", "password"}
        assert inputs["password"]["minlength"] == "12"
        assert inputs["password"]["aria-describedby"] == "password-hint"
        assert page.one(id="password-hint").text.startswith("At least 12 characters.")
        assert "aria-invalid" not in inputs["email"]


class TestLinks:
    @pytest.mark.parametrize("page", LINKED)
    async def test_following_a_link_changes_nothing(self, world: World, page: str) -> None:
        await world.user("arthur")
        await world.client.post("/auth/request-verify-token", json={"email": ARTHUR})
        token = await world.token()

        for method in ("GET", "HEAD"):
            answer = await world.client.request(method, f"/account/{page}?token={token}")
            # It is a token of another kind.
            assert answer.status_code == (400 if page in {"reset-password", "invitation"} else 200)

        assert (await post(world, "/verify", token=token)).headers["location"] == "/account/done/verified"

    @pytest.mark.parametrize("page", LINKED)
    async def test_page_without_a_token_has_no_form(self, world: World, page: str) -> None:
        assert Page((await get(world, f"/{page}")).text).find("form") == []

    async def test_email_change_is_confirmed_and_undone_by_links(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))
        await world.client.patch("/users/me", json={"email": NEW}, headers=headers)

        confirmed = await post(world, "/confirm-email", token=await world.token())
        undone = await post(world, "/undo-email", token=(await world.mails(MailKind.EMAIL_CHANGED))[0].token)

        assert confirmed.headers["location"] == "/account/done/email-confirmed"
        assert undone.headers["location"] == "/account/done/email-undone"
        assert (await world.mails())[-1][:2] == (MailKind.RESET, ARTHUR)

    async def test_reset_link_survives_a_weak_password_and_works_once(self, world: World) -> None:
        await world.user("arthur")
        assert (await post(world, "/forgot-password", email=ARTHUR)).headers["location"] == "/account/done/sent"
        token = await world.token()

        weak = await post(world, "/reset-password", token=token, password="short")
        strong = await post(world, "/reset-password", token=token, password=NEW_PASSWORD)
        again = await post(world, "/reset-password", token=token, password=NEW_PASSWORD)

        assert [each.status_code for each in (weak, strong, again)] == [400, 303, 400]
        assert Page(weak.text).one("input", name="token").attributes["value"] == token
        page = Page(again.text)
        assert page.one("h1").text == "This link is no longer valid"
        assert page.one("a", class_="button").attributes["href"] == "/account/forgot-password"
        assert (await world.login(ARTHUR, NEW_PASSWORD)).status_code == 200

    async def test_user_can_request_another_verification_email(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)

        answer = await post(world, "/request-verify", cookie)

        assert answer.headers["location"] == "/account/done/sent"
        assert [mail[:2] for mail in await world.mails()] == [(MailKind.VERIFY, ARTHUR)]


class TestInvitations:
    @pytest.fixture
    async def token(self, world: World) -> str:
        guinevere = await world.user("guinevere", is_verified=True)
        group = await world.group("Round Table", Visibility.PRIVATE, members={guinevere: Role.OWNER})
        headers = await world.sign_in(guinevere)
        await world.client.post(f"/user-groups/{group.id}/invitations", json={"email": ARTHUR}, headers=headers)
        return await world.token()

    async def groups(self, world: World) -> list[str]:
        answer = await world.client.get("/users/me/groups", headers=await world.sign_in(ARTHUR))
        return [each["group"]["name"] if "group" in each else each["name"] for each in answer.json()]

    async def test_invitation_is_kept_while_signing_in_and_then_accepted(self, world: World, token: str) -> None:
        await world.user("arthur")
        shown = await get(world, f"/invitation?token={token}")
        asked = await get(world, f"/sign-in?invitation={token}")
        entered = await post(world, "/sign-in", username=ARTHUR, password=PASSWORD, invitation=token)
        cookie = entered.headers["set-cookie"].partition(";")[0]

        assert Page(shown.text).find("a", href=f"/account/sign-in?invitation={token}")
        assert {each.attributes["value"] for each in Page(asked.text).find("input", name="invitation")} == {token}
        assert entered.headers["location"] == f"/account/invitation?token={token}"
        assert "Join group" in (await get(world, f"/invitation?token={token}", cookie)).text
        accepted = await post(world, "/invitation", cookie, token=token, answer="accept")
        assert (accepted.headers["location"], what_was_done(accepted)) == ("/account/groups", "group-joined")
        assert await self.groups(world) == ["Round Table"]

    async def test_registering_with_an_invitation_joins_the_group(self, world: World, token: str) -> None:
        answer = await post(world, "/register", email=ARTHUR, password=PASSWORD, invitation=token)

        assert answer.headers["location"] == "/account/done/joined"
        assert await self.groups(world) == ["Round Table"]

    async def test_invitation_is_declined_without_an_account(self, world: World, token: str) -> None:
        answer = await post(world, "/invitation", token=token, answer="decline")

        assert answer.headers["location"] == "/account/done/declined"
        assert (await post(world, "/invitation", token=token, answer="decline")).status_code == 400

    @pytest.mark.parametrize(
        ("sign_up", "pages"),
        [
            (SignUp.OPEN, ["sign-in", "register"]),
            (SignUp.VERIFIED, ["sign-in", "register"]),
            (SignUp.INVITED, ["sign-in"]),
        ],
    )
    async def test_registering_with_a_stale_invitation_leads_on(
        self, world: World, token: str, sign_up: SignUp, pages: list[str]
    ) -> None:
        world.change_settings(sign_up=sign_up)
        await post(world, "/invitation", token=token, answer="decline")

        stale = await post(world, "/register", email=ARTHUR, password=PASSWORD, invitation=token)

        page = Page(stale.text)
        assert (stale.status_code, page.find("form")) == (400, [])
        assert page.one("h1").text == "This invitation is no longer valid"
        assert "Ask for a new one, or continue without it." in page.one(role="status").text
        links = [each.attributes["href"] for each in page.find("a") if "button" in each.attributes.get("class", "")]
        assert links == [f"/account/{each}" for each in pages]
        for link in links:
            assert token not in (await get(world, link.removeprefix("/account"))).text

    @pytest.mark.parametrize(("sign_up", "offered"), [(SignUp.OPEN, True), (SignUp.INVITED, False)])
    async def test_sign_up_with_an_invitation_to_another_email_offers_one_without_it(
        self, world: World, token: str, sign_up: SignUp, *, offered: bool
    ) -> None:
        world.change_settings(sign_up=sign_up)

        refused = await post(world, "/register", email=NEW, password=PASSWORD, invitation=token)

        assert (refused.status_code, "a different email address" in alert(refused)) == (403, True)
        assert bool(Page(refused.text).find("a", href="/account/register")) is offered

    async def test_accepting_while_signed_out_leads_to_the_sign_in_page(self, world: World, token: str) -> None:
        answer = await post(world, "/invitation", token=token, answer="accept")

        assert answer.headers["location"] == f"/account/sign-in?invitation={token}"

    async def test_invitation_to_another_email_is_refused(self, world: World, token: str) -> None:
        await world.user("lancelot")

        answer = await post(
            world, "/invitation", await enter(world, "lancelot@camelot.example.com"), token=token, answer="accept"
        )

        assert answer.status_code == 403
        assert "a different email address" in alert(answer)
        assert "Join group" in answer.text
        cookie = await enter(world, "lancelot@camelot.example.com")
        assert "Password" in (await get(world, f"/sign-in?invitation={token}", cookie)).text


class TestSafety:
    @pytest.mark.parametrize("path", ["/sign-in", "/nowhere", "/static/site.css"])
    async def test_pages_load_nothing_from_other_sites_and_are_not_cached(self, world: World, path: str) -> None:
        answer = await get(world, path)

        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert ("script-src 'self'; connect-src 'self'" in policy) is (path == "/sign-in")  # for passkeys
        assert policy.count("script") == (path == "/sign-in")
        assert answer.headers["referrer-policy"] in {"no-referrer", "strict-origin"}
        assert ("no-store" in answer.headers["cache-control"]) is (path != "/static/site.css")

    async def test_cross_site_posts_are_refused_on_every_page(self, world: World) -> None:
        """They are refused before a form has the values that it shows, so some pages cannot show it again."""
        for operation in page_operations():
            if operation.method == "post":
                answer = await world.client.post(operation.url, headers={"Sec-Fetch-Site": "cross-site"})

                assert answer.status_code == 403, operation.path

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [("GET", "/nowhere", 404), ("GET", "/done/what", 404), ("DELETE", "/sign-in", 405)],
    )
    async def test_errors_are_html_pages(self, world: World, method: str, path: str, status: int) -> None:
        answer = await world.client.request(method, f"/account{path}")

        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert Page(answer.text).one("h1").text in {"Page not found", "Something went wrong"}

    async def test_unexpected_error_is_a_page_without_details(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(world.passwords, "verify", None)

        answer = await post(world, "/sign-in", username=ARTHUR, password=PASSWORD)

        assert (answer.status_code, "Nothing was changed." in answer.text) == (500, True)

    async def test_pages_are_not_served_if_pages_url_is_set(self, world: World) -> None:
        world.change_settings(pages_url="https://app.example.com/me")

        answers = [await get(world, path) for path in ("", "/sign-in", "/static/site.css")]

        assert [(each.status_code, each.json()["detail"]) for each in answers] == [(404, "NOT_FOUND")] * 3


class TestLanguages:
    async def german(self, world: World, path: str, cookie: str = "") -> Response:
        headers = {"Accept-Language": "de-AT, en;q=0.5"} | ({"Cookie": cookie} if cookie else {})
        return await world.client.get(f"/account{path}", headers=headers)

    @pytest.mark.parametrize("path", ["/sign-in", "/register", "/nowhere", "/invitation?token=x"])
    async def test_page_is_in_the_language_that_the_browser_prefers(self, world: World, path: str) -> None:
        german, english = await self.german(world, path), await get(world, path)

        assert [each.headers["content-language"] for each in (german, english)] == ["de", "en"]
        assert [Page(each.text).one("html").attributes["lang"] for each in (german, english)] == ["de", "en"]
        assert {each.headers["vary"] for each in (german, english)} == {"Accept-Language, Cookie"}
        assert Page(german.text).one("h1").text != Page(english.text).one("h1").text

    async def test_messages_of_a_refused_form_are_translated(self, world: World) -> None:
        form = {"email": ARTHUR, "password": "short"}
        answer = await world.client.post("/account/register", data=form, headers={"Accept-Language": "de"})

        assert alert(answer) == "Bitte prüfen Sie die markierten Felder."
        assert Page(answer.text).one(id="password-fault").text == "Ein Passwort muss 12 bis 128 Zeichen haben."

    async def test_sessions_page_names_devices_and_times_in_german(self, world: World) -> None:
        await world.user("arthur")
        firefox = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"}
        form = {"username": ARTHUR, "password": PASSWORD}
        answer = await world.client.post("/account/sign-in", data=form, headers=firefox)

        page = Page((await self.german(world, "/sessions", answer.headers["set-cookie"].partition(";")[0])).text)

        assert "Firefox unter Linux Dieses Gerät" in page.one("li").text
        assert page.find("time")[0].text.startswith("Zuletzt aktiv vor ")
        assert page.find("time")[1].text.endswith(" Uhr (UTC)")

    async def test_api_stays_english(self, world: World) -> None:
        body = {"email": ARTHUR, "password": "short"}
        answer = await world.client.post("/auth/register", json=body, headers={"Accept-Language": "de"})

        assert answer.json()["reason"] == "A password must have 12 to 128 characters."


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"--y\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"'),
        ("multipart/form-data; boundary=\xff", b"--x"),
        ("application/x-www-form-urlencoded", b"\xff%ff=%zz"),
        ("text/plain", b"x"),
    ],
)
async def test_malformed_form_is_a_page_that_says_so(world: World, form: str, media_type: str, body: bytes) -> None:
    await world.user("arthur")
    headers = [(b"Content-Type", media_type.encode("latin-1")), (b"Cookie", (await enter(world)).encode())]
    response = await world.client.post(page_url(f"/{form}"), content=body, headers=headers)

    assert 400 <= response.status_code < 500
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
