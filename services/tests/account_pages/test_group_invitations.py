"""The page of a group's invitations: what it lists, and the buttons to invite, resend and revoke."""

from typing import Any

import pytest
from httpx2 import Response

from accounts.db.session import transaction
from accounts.models import MailKind, Role, User, UserGroup, Visibility
from support.account_pages import alert, enter, get, message, post, what_was_done
from support.html import Element, Page
from support.people import World
from support.schema import recorded_statements

HOSTILE = "<script>alert(1)</script>\"' \u05d0\u05d1"
GALAHAD = "galahad@camelot.example.com"


class Table:
    """A private group of Arthur, its owner, Kay, an admin, and Bors, a member."""

    def __init__(self, world: World, group: UserGroup, people: dict[str, User]) -> None:
        self.world, self.group, self.people = world, group, people
        self.path = f"/groups/{group.id}/invitations"
        self.cookies: dict[str, str] = {}

    async def cookie(self, name: str) -> str:
        if name not in self.cookies:
            self.cookies[name] = await enter(self.world, f"{name}@camelot.example.com")
        return self.cookies[name]

    async def page(self, name: str = "kay", query: str = "", **headers: str) -> Response:
        sent = {"Cookie": await self.cookie(name)} | headers
        return await self.world.client.get(f"/account{self.path}{query}", headers=sent)

    async def invite(self, email: str = GALAHAD, by: str = "kay", **more: Any) -> Response:
        return await post(self.world, self.path, await self.cookie(by), email=email, **more)

    async def act(self, action: str, by: str = "kay") -> Response:
        """Press a button of the first invitation, as the page of its owner has it."""
        form = next(each for each in forms(await self.page("arthur")) if each.endswith(f"/{action}"))
        return await post(self.world, form.removeprefix("/account"), await self.cookie(by))


@pytest.fixture
async def table(world: World) -> Table:
    roles = {"arthur": Role.OWNER, "kay": Role.ADMIN, "bors": Role.MEMBER}
    people = {name: await world.user(name, is_verified=True) for name in roles}
    members = {people[name]: role for name, role in roles.items()}
    return Table(world, await world.group("Round <Table>", Visibility.PRIVATE, members=members), people)


def forms(answer: Response) -> list[str]:
    return [each.attributes["action"] for each in Page(answer.text).find("form")]


def rows(answer: Response) -> list[dict[str, str]]:
    """Return the cells of the table by their labels."""
    cells = [each for each in Page(answer.text).find("td") if "data-label" in each.attributes]
    columns = list(dict.fromkeys(cell.attributes["data-label"] for cell in cells))
    texts = [cell.text.strip() for cell in cells]
    size = len(columns) or 1
    return [dict(zip(columns, texts[start : start + size], strict=True)) for start in range(0, len(texts), size)]


def states(answer: Response) -> list[str]:
    spans = Page(answer.text).find("span")
    return [each.text.strip() for each in spans if "badge" in each.attributes.get("class", "")]


def field(answer: Response, name: str) -> Element:
    return Page(answer.text).one(id=name)


async def test_invited_person_is_listed_with_role_inviter_times_and_state(table: Table) -> None:
    empty = await table.page()
    sent = await table.invite(role="admin", note="There is a seat left.", expires_in_days="14")
    listed = await table.page()

    assert "No invitation is open." in empty.text
    assert (sent.status_code, sent.headers["location"]) == (303, f"/account{table.path}")
    assert what_was_done(sent) == "invitation-sent"
    (row,) = rows(listed)
    assert row["Invited"] == f"{GALAHAD}There is a seat left."
    assert (row["Role"], row["Invited by"], states(listed)) == ("Admin", "Kay", ["Waiting to be sent"])
    assert row["Expires"] == "in 2 weeks"
    assert (await message(table.world, sent, await table.cookie("kay"))).startswith("The invitation is on its way.")
    (mail,) = await table.world.mails(MailKind.INVITATION)
    assert mail.email == GALAHAD


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ("UPDATE outbox SET attempts = 1", "Waiting to be sent"),
        ("UPDATE outbox SET attempts = 1, error = '451 greylisted at relay.example'", "Delayed, trying again"),
        ("UPDATE outbox SET parked_at = now(), error = '550 no such user at relay.example'", "Couldn't be delivered"),
        ("DELETE FROM outbox", "Sent"),
        # Others wrote to the address often.
        ("UPDATE outbox SET next_at = now() + interval '1 hour'", "Sent"),
    ],
)
async def test_state_of_the_mail_is_said_without_the_words_of_the_mail_server(
    table: Table, change: str, state: str
) -> None:
    await table.invite()
    await table.world.sql(change)

    listed = await table.page()

    assert states(listed) == [state]
    assert "relay.example" not in listed.text


async def test_state_is_that_of_the_resent_mail_and_not_of_the_one_before(table: Table) -> None:
    await table.invite()
    await table.world.sql("UPDATE outbox SET parked_at = now(), created_at = now() - interval '1 day'")
    resent = await table.act("resend")
    waiting = await table.page()
    await table.world.sql("DELETE FROM outbox WHERE parked_at IS NULL")
    sent = await table.page()

    assert (resent.headers["location"], what_was_done(resent)) == (f"/account{table.path}", "invitation-resent")
    assert [*states(waiting), *states(sent)] == ["Waiting to be sent", "Sent"]


async def test_resending_replaces_the_link(table: Table) -> None:
    await table.invite()
    before = await table.world.token()
    await table.act("resend")

    assert await table.world.token() != before


async def test_revoked_invitation_is_gone_and_a_second_click_is_told_so(table: Table) -> None:
    await table.invite()
    action = next(each for each in forms(await table.page()) if each.endswith("/revoke")).removeprefix("/account")
    cookie = await table.cookie("kay")
    revoked, again = [await post(table.world, action, cookie) for _ in range(2)]

    assert (revoked.headers["location"], what_was_done(revoked)) == (f"/account{table.path}", "invitation-revoked")
    assert rows(await table.page()) == []
    assert again.status_code == 404
    assert "answered or revoked, or it has expired." in Page(again.text).one("main").text


@pytest.mark.parametrize(
    ("email", "text"),
    [
        ("bors@camelot.example.com", "This person is a member of the group already."),
        (GALAHAD.upper(), "This person has an open invitation already. You can resend it below."),
        ("galahad", "Enter an email address like name@example.com."),
        ("", "Please fill in this field."),
    ],
)
async def test_refused_address_is_explained_at_its_field_and_the_rest_is_kept(
    table: Table, email: str, text: str
) -> None:
    await table.invite()
    refused = await table.invite(email, role="admin", note="See <you>", expires_in_days="30")

    assert refused.status_code in {409, 422}
    assert Page(refused.text).one(id="email-fault").text == text
    assert field(refused, "email").attributes["value"] == email
    assert field(refused, "note").text.strip() == "See <you>"
    chosen = [each.attributes["value"] for each in Page(refused.text).find("option", selected="")]
    assert chosen == ["admin", "30"]
    assert alert(refused) == "Please check the fields marked below."
    assert [row["Role"] for row in rows(refused)] == ["Member"]


async def test_note_that_is_too_long_is_refused_at_its_field(table: Table) -> None:
    refused = await table.invite(note="x" * 501)

    assert refused.status_code == 422
    assert Page(refused.text).one(id="note-fault").text == "This is too long."


async def test_too_many_invitations_are_refused_with_the_time_to_wait(table: Table) -> None:
    table.world.change_settings(throttle_scale=1, throttle_scale_mail=0.005)
    await table.cookie("kay")
    answers = [await table.invite(f"knight{number}@example.com") for number in range(3)]

    refused = next(each for each in answers if each.status_code == 429)
    assert alert(refused).startswith("Too many attempts. Please try again in ")
    assert field(refused, "email").attributes["value"].startswith("knight")
    assert "retry-after" in refused.headers


async def test_admin_neither_invites_owners_nor_touches_their_invitations(table: Table) -> None:
    await table.invite(by="arthur", role="owner")
    seen, owners = await table.page("kay"), await table.page("arthur")
    refused = [
        await table.invite("lot@example.com", role="owner"),
        await table.act("resend"),
        await table.act("revoke"),
    ]

    assert [each.attributes["value"] for each in Page(seen.text).find("option")][:3] == ["member", "admin", "1"]
    assert [each.attributes["value"] for each in Page(owners.text).find("option")][:3] == ["member", "admin", "owner"]
    assert rows(seen)[0]["Actions"] == "For owners only"
    assert [each.status_code for each in refused] == [403, 403, 403]
    assert [row["Invited"] for row in rows(await table.page("arthur"))] == [GALAHAD]


async def test_members_strangers_and_visitors_see_nothing(table: Table) -> None:
    await table.invite()
    await table.world.user("mordred")
    member, stranger = [await table.page(name) for name in ("bors", "mordred")]
    visitor = await get(table.world, table.path)

    assert (member.status_code, stranger.status_code, visitor.status_code) == (403, 404, 303)
    assert visitor.headers["location"].startswith("/account/sign-in?next=")
    assert all(GALAHAD not in each.text for each in (member, stranger, visitor))


@pytest.mark.parametrize("by", ["bors", "mordred"])
async def test_others_can_press_none_of_the_buttons(table: Table, by: str) -> None:
    await table.invite()
    await table.world.user("mordred", is_verified=True)
    refused = [
        await table.invite("lot@example.com", by=by),
        *[await table.act(each, by) for each in ("resend", "revoke")],
    ]

    assert {each.status_code for each in refused} == {403 if by == "bors" else 404}
    assert len(rows(await table.page())) == 1


async def test_admin_who_was_demoted_meanwhile_is_refused_at_the_next_click(table: Table) -> None:
    await table.invite()
    page = await table.page()
    await table.world.sql("UPDATE membership SET role = 'member' WHERE role = 'admin'")
    refused = await table.act("revoke")

    assert page.status_code == 200
    assert refused.status_code == 403
    assert "Your role in this group doesn't allow this." in Page(refused.text).one("main").text


async def test_unverified_admin_is_asked_to_confirm_the_own_address_first(table: Table) -> None:
    await table.invite()
    await table.world.sql("UPDATE \"user\" SET is_verified = false WHERE email LIKE 'kay%'")
    seen, refused = await table.page(), await table.invite("lot@example.com")

    assert "Confirm your email address before you invite others" in seen.text
    assert [each.rpartition("/")[2] for each in forms(seen)] == ["revoke"]
    assert refused.status_code == 403
    assert alert(refused) == "Please confirm your email address first."


async def test_user_invited_by_id_keeps_the_address_and_deleted_inviters_are_named_so(table: Table) -> None:
    lancelot = await table.world.user("lancelot")
    headers = await table.world.sign_in(table.people["kay"])
    path = f"/user-groups/{table.group.id}/users/{lancelot.id}"
    invited = await table.world.client.put(path, json={"role": "member"}, headers=headers)
    await table.world.sql("UPDATE invitation SET inviter_id = NULL")

    (row,) = rows(listed := await table.page())

    assert invited.status_code == 202
    assert row["Invited"] == f"User {lancelot.id}"
    assert row["Invited by"] == "Deleted account"
    assert "lancelot" not in listed.text.lower()


async def test_long_lists_go_on_on_further_pages(table: Table) -> None:
    for name in ("lot", "tor", "ban"):
        await table.invite(f"{name}@example.com")
    first = await table.page(query="?limit=2")
    more = Page(first.text).one("a", href=next(each for each in links(first) if "cursor=" in each))
    query = more.attributes["href"].partition("?")[2]
    rest = await table.page(query=f"?{query}")

    assert [row["Invited"] for row in rows(first)] == ["lot@example.com", "tor@example.com"]
    assert [row["Invited"] for row in rows(rest)] == ["ban@example.com"]


def links(answer: Response) -> list[str]:
    return [each.attributes["href"] for each in Page(answer.text).find("a")]


async def test_hostile_texts_are_inert_in_both_languages(table: Table) -> None:
    await table.world.sql(f'UPDATE "user" SET display_name = $${HOSTILE}$$')  # noqa: S608  # a constant
    await table.world.sql(f"UPDATE user_group SET name = $${HOSTILE}$$")  # noqa: S608  # a constant
    sent = await table.invite('"<b>x"@example.com', note=HOSTILE)
    await table.invite(note=HOSTILE)
    for language in ("en", "de"):
        page = Page((await table.page(**{"Accept-Language": language})).text)

        assert page.find("script") == []
        assert HOSTILE in page.one("h1").text
        assert page.find("td")[0].text.strip() == f"{GALAHAD}{HOSTILE}"
    assert sent.status_code == 422


async def test_page_takes_the_same_statements_for_any_number_of_invitations(table: Table) -> None:
    await table.page()
    counts = []
    for names in (("lot",), ("tor", "ban", "pelles")):
        for name in names:
            await table.invite(f"{name}@example.com")
        async with transaction(table.world.sessionmaker) as db, recorded_statements(db) as statements:
            await table.page()
        counts.append(len([text for text, _ in statements if "POINT" not in text]))

    assert counts[0] == counts[1] <= 8


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_forms_from_elsewhere_are_refused(table: Table, origin: str) -> None:
    headers = {"Cookie": await table.cookie("kay"), "Origin": origin}
    sent = await table.world.client.post(f"/account{table.path}", data={"email": GALAHAD}, headers=headers)

    assert sent.status_code == 403
    assert rows(await table.page()) == []
