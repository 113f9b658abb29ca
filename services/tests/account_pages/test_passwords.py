"""Pages that set a password name the account for password managers, and disclose it to no one else."""

import pytest

from accounts.models import MailKind
from accounts.settings import SignUp
from support.account_pages import ARTHUR, alert, enter, get, post
from support.html import Page
from support.people import PASSWORD, World

NEW_PASSWORD = "lancelot-and-elaine"


def username(html: str) -> dict[str, str]:
    return Page(html).one("input", name="username").attributes


class TestUsername:
    async def test_reset_page_names_the_account_also_after_a_refused_password(self, world: World) -> None:
        await world.user("arthur")
        await post(world, "/forgot-password", email=ARTHUR)
        token = await world.token()

        shown = await get(world, f"/reset-password?token={token}&username=mordred@example.com")
        refused = await post(world, "/reset-password", token=token, username=ARTHUR, password="short")
        done = await post(world, "/reset-password", token=token, username=ARTHUR, password=NEW_PASSWORD)

        for answer in (shown, refused):
            assert username(answer.text)["value"] == ARTHUR
            assert "readonly" in username(answer.text)
        assert done.headers["location"] == "/account/done/reset"

    async def test_registration_page_names_the_account(self, world: World) -> None:
        world.change_settings(sign_up=SignUp.VERIFIED)
        await post(world, "/register", email=ARTHUR)
        token = await world.token()

        shown = await get(world, f"/complete-registration?token={token}")

        assert username(shown.text)["value"] == ARTHUR

    @pytest.mark.parametrize(
        ("page", "next_page"), [("reset-password", "forgot-password"), ("complete-registration", "register")]
    )
    async def test_dead_link_says_so_before_it_asks_for_a_password(
        self, world: World, page: str, next_page: str
    ) -> None:
        answer = await get(world, f"/{page}?token={43 * 'x'}&username={ARTHUR}")

        assert (answer.status_code, Page(answer.text).find("input")) == (400, [])
        assert Page(answer.text).one("h1").text == "This link is no longer valid"
        assert Page(answer.text).one("a", class_="button").attributes["href"] == f"/account/{next_page}"


class TestChange:
    async def test_user_changes_the_password_and_stays_signed_in_here_only(self, world: World) -> None:
        await world.user("arthur")
        here, elsewhere = await enter(world), await enter(world)

        shown = await get(world, "/change-password", here)
        changed = await post(world, "/change-password", here, current_password=PASSWORD, password=NEW_PASSWORD)

        assert username(shown.text)["value"] == ARTHUR
        assert changed.headers["location"] == "/account/done/password-changed"
        assert [(await get(world, "", each)).status_code for each in (here, elsewhere)] == [200, 303]
        assert (await world.login(ARTHUR, NEW_PASSWORD)).status_code == 200
        assert await world.mails(MailKind.PASSWORD_CHANGED)

    @pytest.mark.parametrize(
        ("current", "new", "field", "message"),
        [
            ("not-the-password", NEW_PASSWORD, "current_password", "This isn't your current password."),
            (PASSWORD, "short", "password", "A password must have 12 to 128 characters."),
            ("", NEW_PASSWORD, "current_password", "Please fill in this field."),
        ],
    )
    async def test_refusal_is_explained_beside_its_field(
        self, world: World, current: str, new: str, field: str, message: str
    ) -> None:
        await world.user("arthur")
        cookie, form = await enter(world), {"username": ARTHUR, "current_password": current, "password": new}

        refused = await post(world, "/change-password", cookie, **form)

        assert alert(refused) == "Please check the fields marked below."
        assert Page(refused.text).one(id=f"{field}-fault").text == message
        assert username(refused.text)["value"] == ARTHUR
        assert not [each for each in Page(refused.text).find("input", type="password") if "value" in each.attributes]
        assert (await world.login(ARTHUR)).status_code == 200

    async def test_wrong_current_passwords_are_limited_like_sign_ins(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)
        world.change_settings(throttle_scale=1)
        form = {"current_password": "not-the-password", "password": NEW_PASSWORD}

        answers = [await post(world, "/change-password", cookie, **form) for _ in range(6)]

        assert [each.status_code for each in answers] == [400] * 5 + [429]

    async def test_signed_out_user_is_redirected_to_the_sign_in_page(self, world: World) -> None:
        asked, posted = await get(world, "/change-password"), await post(world, "/change-password")

        assert (asked.status_code, asked.headers["location"]) == (303, "/account/sign-in?next=%2Fchange-password")
        assert (posted.status_code, posted.headers["location"]) == (303, "/account/sign-in")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("pages_url", "location"),
    [
        ("", "/account/change-password"),
        ("https://app.example.com/me/", "https://app.example.com/me/change-password"),
    ],
)
async def test_well_known_url_leads_to_the_page_that_changes_passwords(
    world: World, method: str, pages_url: str, location: str
) -> None:
    world.change_settings(pages_url=pages_url)

    answer = await world.client.request(method, "/.well-known/change-password")

    assert (answer.status_code, answer.headers["location"]) == (303, location)
    # By this URL, password managers find out whether statuses can be trusted (W3C).
    path = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
    assert (await world.client.request(method, path)).status_code == 404
