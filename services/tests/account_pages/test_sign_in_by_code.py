"""Sign-in with a mailed code on the pages: without scripts, in the browser that requested the code."""

import pytest
from httpx2 import Response

from accounts.models import MailKind, Role
from support.account_pages import ARTHUR, alert, get, post
from support.html import Page
from support.mailed_codes import WRONG, Codes
from support.people import World
from support.second_factors import age


@pytest.fixture
def codes(world: World) -> Codes:
    return Codes(world)


def cookie_of(answer: Response) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


async def test_user_signs_in_with_a_code(codes: Codes) -> None:
    await codes.world.user("arthur", is_verified=True)
    sign_in = Page((await get(codes.world, "/sign-in")).text)
    link = sign_in.one("a", href="/account/sign-in-code")

    requested = await post(codes.world, "/sign-in-code", email=ARTHUR)
    form = Page((await get(codes.world, "/enter-code", cookie_of(requested))).text)
    entered = await post(codes.world, "/enter-code", cookie_of(requested), code=await codes.last())

    assert link.text.strip() == "Sign in with a code from an email"
    assert (requested.status_code, requested.headers["location"]) == (303, "/account/enter-code")
    assert form.one("input", name="code").attributes["autocomplete"] == "one-time-code"
    assert (entered.status_code, entered.headers["location"]) == (303, "/account")
    assert ARTHUR in (await get(codes.world, "", cookie_of(entered))).text


async def test_code_cookie_is_for_this_host_only_and_ends_with_the_sign_in(codes: Codes) -> None:
    await codes.world.user("arthur", is_verified=True)

    requested = await post(codes.world, "/sign-in-code", email=ARTHUR)
    entered = await post(codes.world, "/enter-code", cookie_of(requested), code=await codes.last())

    given = requested.headers["set-cookie"]
    assert given.startswith("__Host-accounts-code=")
    assert all(attribute in given for attribute in ("HttpOnly", "Secure", "Path=/", "SameSite=lax", "Max-Age=3600"))
    signed_in, cleared = entered.headers.get_list("set-cookie")
    assert signed_in.startswith("__Host-accounts=")
    assert cleared.startswith('__Host-accounts-code=""; ')
    assert all(attribute in cleared for attribute in ("HttpOnly", "Secure", "Path=/", "Max-Age=0"))


async def test_wrong_code_shows_the_form_again(codes: Codes) -> None:
    requested = await post(codes.world, "/sign-in-code", email="nobody@camelot.example.com")

    answer = await post(codes.world, "/enter-code", cookie_of(requested), code=WRONG)

    assert answer.status_code == 400
    assert alert(answer) == "That code is wrong or no longer works. Check it, or request another one."
    assert Page(answer.text).one("a", href="/account/sign-in-code").text == "Request another code"


async def test_browser_without_a_request_is_asked_for_the_address(codes: Codes) -> None:
    shown = await get(codes.world, "/enter-code?invitation=abc")
    posted = await post(codes.world, "/enter-code", code=WRONG)

    assert (shown.status_code, shown.headers["location"]) == (303, "/account/sign-in-code?invitation=abc")
    assert posted.status_code == 400


async def test_invitation_is_carried_through(codes: Codes) -> None:
    owner = await codes.world.user("guinevere", is_verified=True)
    await codes.world.user("arthur", is_verified=True)
    group = await codes.world.group("Table", members={owner: Role.OWNER})
    path, headers = f"/user-groups/{group.id}/invitations", await codes.world.sign_in(owner)
    assert (await codes.world.client.post(path, headers=headers, json={"email": ARTHUR})).status_code == 201
    [mail] = await codes.world.mails(MailKind.INVITATION)

    sign_in = Page((await get(codes.world, f"/sign-in?invitation={mail.token}")).text)
    request_page = Page((await get(codes.world, f"/sign-in-code?invitation={mail.token}")).text)
    requested = await post(codes.world, "/sign-in-code", email=ARTHUR, invitation=mail.token)
    code_page = Page((await get(codes.world, f"/enter-code?invitation={mail.token}", cookie_of(requested))).text)
    form = {"code": await codes.last(), "invitation": mail.token}
    entered = await post(codes.world, "/enter-code", cookie_of(requested), **form)

    assert sign_in.one("a", href=f"/account/sign-in-code?invitation={mail.token}")
    assert requested.headers["location"] == f"/account/enter-code?invitation={mail.token}"
    for page in (request_page, code_page):
        assert page.one("input", name="invitation").attributes["value"] == mail.token
    assert entered.headers["location"] == f"/account/invitation?token={mail.token}"


async def test_signed_in_user_is_redirected(codes: Codes) -> None:
    await codes.world.user("arthur", is_verified=True)
    requested = await post(codes.world, "/sign-in-code", email=ARTHUR)
    entered = await post(codes.world, "/enter-code", cookie_of(requested), code=await codes.last())

    assert (await get(codes.world, "/sign-in-code", cookie_of(entered))).headers["location"] == "/account"


@pytest.mark.parametrize("path", ["/sign-in-code", "/enter-code"])
async def test_pages_are_refused_where_the_setting_does_not_allow_them(world: World, path: str) -> None:
    answer = await get(world, path)

    assert (answer.status_code, "You can&#39;t sign in with a code here." in answer.text) == (403, True)
    assert "sign-in-code" not in (await get(world, "/sign-in")).text


class TestConfirmation:
    """A mailed code also confirms who uses a session."""

    async def test_user_without_a_password_confirms_with_a_code(self, codes: Codes) -> None:
        session = await self.signed_in(codes)
        await age(codes.world)
        page = Page((await get(codes.world, "/confirm?next=/passkeys", session)).text)

        asked = await post(codes.world, "/confirm-code", session, next="/passkeys")
        both = f"{session}; {cookie_of(asked)}"
        form = Page((await get(codes.world, "/confirm?next=/passkeys", both)).text)
        wrong = await post(codes.world, "/confirm", both, mailed_code=WRONG, next="/passkeys")
        done = await post(codes.world, "/confirm", both, mailed_code=await codes.last(), next="/passkeys")

        assert [each.text for each in page.find("button") if "code" in each.text] == ["Send a code by email"]
        assert asked.headers["location"] == "/account/confirm?next=%2Fpasskeys"
        assert form.one("input", name="mailed_code").attributes["autocomplete"] == "one-time-code"
        assert (wrong.status_code, WRONG in wrong.text) == (400, False)
        assert (done.status_code, done.headers["location"]) == (303, "/account/passkeys")

    async def test_without_a_request_no_code_is_accepted(self, codes: Codes) -> None:
        answer = await post(codes.world, "/confirm", await self.signed_in(codes), mailed_code=WRONG)

        assert answer.status_code == 400
        assert alert(answer) == "That code is wrong or no longer works. Check it, or request another one."

    async def test_it_is_offered_neither_without_the_setting_nor_beside_a_second_factor(self, codes: Codes) -> None:
        session = await self.signed_in(codes)
        codes.world.change_settings(sign_in_by_code=False)
        without_setting = await get(codes.world, "/confirm", session)
        refused = await post(codes.world, "/confirm-code", session)
        codes.world.change_settings(sign_in_by_code=True)
        await codes.world.sql("UPDATE \"user\" SET second_factors = '{totp}'")
        with_factor = await get(codes.world, "/confirm", session)

        assert "by email" not in without_setting.text + with_factor.text
        assert refused.status_code == 403

    async def signed_in(self, codes: Codes) -> str:
        """Return the session's cookie of Arthur, who has no password."""
        await codes.world.user("arthur", is_verified=True, hashed_password="!")
        requested = await post(codes.world, "/sign-in-code", email=ARTHUR)
        return cookie_of(await post(codes.world, "/enter-code", cookie_of(requested), code=await codes.last()))
