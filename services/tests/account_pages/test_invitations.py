"""Invitations: what the page of a mailed link shows to which users, and the user's own list."""

import pytest

from accounts.models import User
from accounts.settings import SignUp
from support.account_pages import ARTHUR, alert, done_cookie, enter, get, message, post, what_was_done
from support.html import Page
from support.invitations import GALAHAD, Table, table_of
from support.people import PASSWORD, World

NOTE = "There is <b>a seat</b> left."


@pytest.fixture
async def table(world: World) -> Table:
    return await table_of(world)


@pytest.fixture
async def galahad(table: Table) -> User:
    """A user with a verified address, of which the group knows nothing."""
    return await table.world.user("galahad", is_verified=True)


def facts(page: Page) -> dict[str, str]:
    return dict(zip([each.text for each in page.find("dt")], [each.text for each in page.find("dd")], strict=True))


class TestMailedLink:
    async def test_page_says_what_the_letter_said_and_masks_the_address(self, table: Table) -> None:
        token = await table.token(GALAHAD, role="admin", note=NOTE)

        shown = await get(table.world, f"/invitation?token={token}")

        page = Page(shown.text)
        assert [each.text for each in page.find("bdi")] == ["Guinevere", "Round Table"]
        assert "invited you to join" in page.one("main").text
        assert page.one("blockquote").text == NOTE
        assert facts(page)["Your role"] == "Admin"
        assert facts(page)["Sent to"] == "g…@camelot.example.com"
        assert "Valid until" in facts(page)
        assert GALAHAD not in shown.text

    async def test_invited_user_sees_their_address_and_joins(self, table: Table, galahad: User) -> None:
        token = await table.token(GALAHAD)
        cookie = await enter(table.world, galahad.email)

        page = Page((await get(table.world, f"/invitation?token={token}", cookie)).text)
        joined = await post(table.world, "/invitation", cookie, token=token, answer="accept")

        assert facts(page)["Sent to"] == GALAHAD
        assert [each.text for each in page.find("button")] == ["Join group", "Decline"]
        assert await message(table.world, joined, cookie) == "You've joined Round Table."
        assert (await table.roles())["galahad"] == "member"

    async def test_user_with_another_address_sees_nothing_of_it(self, table: Table) -> None:
        token = await table.token(GALAHAD, note=NOTE)
        await table.world.user("mordred", is_verified=True)
        cookie = await enter(table.world, "mordred@camelot.example.com")

        shown = await get(table.world, f"/invitation?token={token}", cookie)

        page = Page(shown.text)
        assert page.one("p", class_="notice").text.startswith("This invitation was sent to a different email address")
        assert not any(each in shown.text for each in ("Round Table", "Guinevere", "seat", "galahad", "g…@"))
        assert [each.text for each in page.find("button")] == ["Decline"]
        assert page.find("a", href=f"/account/sign-in?invitation={token}")

    async def test_invitation_by_id_shows_no_address_before_the_sign_in(self, table: Table, galahad: User) -> None:
        path = f"/user-groups/{table.group.id}/users/{galahad.id}"
        await table.world.client.put(path, json={"role": "member"}, headers=table.admin)
        token = await table.world.token()

        outside = Page((await get(table.world, f"/invitation?token={token}")).text)
        inside = Page((await get(table.world, f"/invitation?token={token}", await enter(table.world, GALAHAD))).text)

        assert "Sent to" not in facts(outside)
        assert facts(inside)["Sent to"] == GALAHAD

    async def test_page_names_no_inviter_whose_account_was_deleted(self, table: Table) -> None:
        token = await table.token(GALAHAD)
        await table.world.sql("DELETE FROM \"user\" WHERE email LIKE 'guinevere%'")

        page = Page((await get(table.world, f"/invitation?token={token}")).text)

        assert [each.text for each in page.find("bdi")] == ["Round Table"]
        assert "You're invited to join" in page.one("main").text

    @pytest.mark.parametrize("token", ["x" * 43, "", None])
    async def test_page_of_a_dead_link_says_so(self, table: Table, token: str | None) -> None:
        if token is None:
            token = await table.token(GALAHAD)
            await table.expire()

        page = Page((await get(table.world, f"/invitation?token={token}")).text)

        assert page.one("h1").text == ("This invitation is no longer valid" if token else "You're invited")
        assert page.find("form") == []

    @pytest.mark.parametrize(("sign_up", "offered"), [(SignUp.INVITED, True), (SignUp.CLOSED, False)])
    async def test_page_offers_a_sign_up_where_it_is_allowed(
        self, table: Table, sign_up: SignUp, *, offered: bool
    ) -> None:
        table.world.change_settings(sign_up=sign_up)
        token = await table.token(GALAHAD)

        page = Page((await get(table.world, f"/invitation?token={token}")).text)

        assert bool(page.find("a", href=f"/account/register?invitation={token}")) is offered

    async def test_looking_at_the_page_answers_nothing(self, table: Table, galahad: User) -> None:
        token = await table.token(GALAHAD)
        for _ in range(2):
            shown = await get(table.world, f"/invitation?token={token}", await enter(table.world, galahad.email))
            assert "Round Table" in shown.text

        assert "galahad" not in await table.roles()

    async def test_invited_user_declines_and_the_message_names_the_group(self, table: Table, galahad: User) -> None:
        token, cookie = await table.token(GALAHAD), await enter(table.world, galahad.email)

        declined = await post(table.world, "/invitation", cookie, token=token, answer="decline")

        said = await message(table.world, declined, cookie)
        assert said == "You've declined the invitation to Round Table. We won't notify anyone."

    async def test_declining_by_another_user_names_no_group(self, table: Table) -> None:
        token = await table.token(GALAHAD)
        await table.world.user("mordred")

        declined = await post(
            table.world,
            "/invitation",
            await enter(table.world, "mordred@camelot.example.com"),
            token=token,
            answer="decline",
        )

        assert declined.headers["location"] == "/account/done/declined"
        assert done_cookie(declined) == "__Host-accounts-done=declined:"

    async def test_forgotten_password_keeps_the_invitation(self, table: Table, galahad: User) -> None:
        token = await table.token(GALAHAD)
        kept = f"?invitation={token}"

        asked = Page((await get(table.world, f"/sign-in{kept}")).text)
        form = Page((await get(table.world, f"/forgot-password{kept}")).text)
        sent = await post(table.world, "/forgot-password", email=galahad.email, invitation=token)
        location = sent.headers["location"].removeprefix("/account")
        done = Page((await get(table.world, location, done_cookie(sent))).text)
        later = await get(table.world, location)

        assert asked.find("a", href=f"/account/forgot-password{kept}")
        assert form.one("input", name="invitation").attributes["value"] == token
        assert done.one("a", class_="button").attributes["href"] == f"/account/sign-in{kept}"
        assert later.headers["location"] == f"/account/sign-in{kept}"


class TestOwnList:
    async def test_shows_group_role_inviter_note_and_time_left(self, table: Table, galahad: User) -> None:
        await table.token(GALAHAD, role="admin", note=NOTE)

        page = Page((await get(table.world, "/invitations", await enter(table.world, galahad.email))).text)

        group, role, inviter, until, _ = [each.text for each in page.find("td")]
        assert (group.replace(" ", ""), role, inviter) == (f"Round Table{NOTE}".replace(" ", ""), "Admin", "Guinevere")
        assert until == "in 1 week"
        assert [each.attributes["aria-label"] for each in page.find("button")] == [
            "Join Round Table",
            "Decline the invitation to Round Table",
        ]

    async def test_accepting_joins_and_names_the_group(self, table: Table, galahad: User) -> None:
        await table.token(GALAHAD, role="admin")
        cookie = await enter(table.world, galahad.email)
        form = {
            each.attributes["name"]: each.attributes["value"]
            for each in Page((await get(table.world, "/invitations", cookie)).text).find("input", type="hidden")
        }

        joined = await post(table.world, "/invitations", cookie, **form, answer="accept")

        assert (joined.headers["location"], what_was_done(joined)) == ("/account/groups", "group-joined")
        assert await message(table.world, joined, cookie) == "You've joined Round Table."
        assert (await table.roles())["galahad"] == "admin"

    async def test_declining_asks_nothing_more_and_names_the_group(self, table: Table, galahad: User) -> None:
        invitation = (await table.invite(GALAHAD)).json()["id"]
        cookie = await enter(table.world, galahad.email)

        declined = await post(table.world, "/invitations", cookie, invitation_id=invitation, answer="decline")
        again = await post(table.world, "/invitations", cookie, invitation_id=invitation, answer="decline")

        said = await message(table.world, declined, cookie)
        assert said == "You've declined the invitation to Round Table. We won't notify anyone."
        assert again.status_code == 404
        assert "open any more: it was answered or revoked, or it has expired." in again.text
        assert "You have no open invitations." in (await get(table.world, "/invitations", cookie)).text

    async def test_other_users_neither_see_nor_answer_them(self, table: Table) -> None:
        invitation = (await table.invite(GALAHAD)).json()["id"]
        await table.world.user("mordred", is_verified=True)
        cookie = await enter(table.world, "mordred@camelot.example.com")

        shown = await get(table.world, "/invitations", cookie)
        answers = [
            await post(table.world, "/invitations", cookie, invitation_id=invitation, answer=each)
            for each in ("accept", "decline")
        ]

        assert "Round Table" not in shown.text
        assert [each.status_code for each in answers] == [404, 404]

    async def test_user_whose_address_is_not_confirmed_is_told_why_the_list_is_empty(self, table: Table) -> None:
        await table.world.user("lancelot")
        await table.invite("lancelot@camelot.example.com")

        page = Page(
            (await get(table.world, "/invitations", await enter(table.world, "lancelot@camelot.example.com"))).text
        )

        assert page.one("p", class_="notice").text.startswith("Invitations to your email address are shown after")
        assert page.find("td") == []

    async def test_signed_out_user_is_led_to_the_sign_in(self, world: World) -> None:
        assert (await get(world, "/invitations")).headers["location"] == "/account/sign-in?next=%2Finvitations"

    async def test_hostile_names_and_notes_are_inert(self, world: World) -> None:
        hostile = "<script>alert(1)</script>\"'"
        inviter = await world.user("kay", display_name=hostile, is_verified=True)
        headers = await world.sign_in(inviter)
        body = {"name": hostile}
        group = (await world.client.post("/user-groups", json=body, headers=headers)).json()["id"]
        body = {"email": ARTHUR, "note": hostile}
        await world.client.post(f"/user-groups/{group}/invitations", json=body, headers=headers)
        token, _ = await world.token(), await world.user("arthur", is_verified=True)
        cookie = await enter(world, ARTHUR, PASSWORD)

        for page in ("/invitations", f"/invitation?token={token}"):
            shown = await get(world, page, cookie)
            assert hostile in Page(shown.text).one("main").text
            assert "<script" not in shown.text
        invitation = Page((await get(world, "/invitations", cookie)).text).one("input", type="hidden")
        declined = await post(
            world, "/invitations", cookie, invitation_id=invitation.attributes["value"], answer="decline"
        )
        assert hostile in await message(world, declined, cookie)


async def test_refused_answer_of_the_mailed_link_keeps_the_token(table: Table) -> None:
    token = await table.token(GALAHAD)
    await table.world.user("mordred")

    refused = await post(
        table.world,
        "/invitation",
        await enter(table.world, "mordred@camelot.example.com"),
        token=token,
        answer="accept",
    )

    assert (refused.status_code, "a different email address" in alert(refused)) == (403, True)
    assert "Round Table" not in refused.text
    assert Page(refused.text).one("input", name="token").attributes["value"] == token
