"""The page of a member: roles in words, removal, and what is refused there."""

import pytest
from httpx2 import Response

from accounts.domain.rate_limits.counting import check_rate_limit
from accounts.domain.rate_limits.rules import MAILS_PER_ACCOUNT, Attempt
from accounts.models import MailKind, Role
from support.account_pages import alert, message, what_was_done
from support.group_pages import RoundTable, hrefs, round_table
from support.html import Page
from support.people import World


@pytest.fixture
async def table(world: World) -> RoundTable:
    return await round_table(world)


def offered(page: Page) -> dict[str, bool]:
    """Return the roles that the form offers, and whether each is selected."""
    return {each.attributes["value"]: "checked" in each.attributes for each in page.find("input", name="role")}


def location(answer: Response) -> str:
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def test_admin_changes_a_role_and_the_member_gets_a_letter(table: RoundTable) -> None:
    before = await table.page(table.member("bors"), "kay")
    changed = await table.post(table.member("bors"), "kay", role="admin")

    assert offered(before) == {"admin": False, "member": True}
    assert (location(changed), what_was_done(changed)) == (f"/account/groups/{table.group.id}", "role-changed")
    assert await message(table.world, changed, await table.cookie("kay")) == "The role was changed."
    assert await table.role("bors") is Role.ADMIN
    [mail] = await table.world.mails(MailKind.ROLE_CHANGED)
    assert mail.email == "bors@camelot.example.com"


async def test_page_says_who_the_member_is_and_what_each_role_may_do(table: RoundTable) -> None:
    page = await table.page(table.member("kay"))

    assert page.one("h1").text == "Kay in Round Table"
    assert [each.text for each in page.find("dd")][:2] == ["kay@camelot.example.com", "Admin"]
    assert offered(page) == {"owner": False, "admin": True, "member": False}
    for role in Role:
        hint = page.one("input", value=role).attributes["aria-describedby"]
        assert page.one("p", id=hint).text.startswith("May ")


async def test_service_account_is_named_as_one_and_cannot_become_an_owner(table: RoundTable) -> None:
    await table.add_service_account("Roster")

    page = await table.page(table.member("Roster"))
    refused = await table.post(table.member("Roster"), role="owner")
    changed = await table.post(table.member("Roster"), role="admin")

    assert offered(page) == {"admin": False, "member": True}
    assert "Service account: a program, not a person." in page.html
    assert "isn't deleted" in page.html
    assert (refused.status_code, alert(refused)) == (409, "A service account can't own a group.")
    assert what_was_done(changed) == "role-changed"


async def test_admin_has_no_forms_for_owners_and_is_refused(table: RoundTable) -> None:
    page = await table.page(table.member("arthur"), "kay")
    demoted = await table.post(table.member("arthur"), "kay", role="member")
    removed = await table.post(f"{table.member('arthur')}/remove", "kay")

    assert page.one("p", class_="notice").text == "Only owners can change or remove an owner."
    assert page.find("button") == []
    assert [each.status_code for each in (demoted, removed)] == [403, 403]
    assert alert(removed) == "Your role in this group doesn't allow this."
    assert await table.role("arthur") is Role.OWNER


async def test_member_is_removed_by_a_button_that_says_what_happens(table: RoundTable) -> None:
    page = await table.page(table.member("bors"), "kay")
    button = page.one("button", class_="danger")
    removed = await table.post(f"{table.member('bors')}/remove", "kay")

    assert page.one("h2").text == "Remove Bors from Round Table?"
    assert "loses access to the group at once" in page.html
    assert button.form
    assert button.form.attributes["action"] == f"/account/groups/{table.group.id}{table.member('bors')}/remove"
    assert (location(removed), what_was_done(removed)) == (f"/account/groups/{table.group.id}", "member-removed")
    assert await table.role("bors") is None


async def test_last_owner_is_told_to_name_another_one_first(table: RoundTable) -> None:
    await table.world.user("merlin", superuser=True)
    demoted = await table.post(table.member("arthur"), role="member")
    removed = await table.post(f"{table.member('arthur')}/remove", "merlin")

    for refused in (demoted, removed):
        assert refused.status_code == 409
        assert alert(refused) == "A group needs an active owner. Give another member the owner role first."
    assert offered(Page(demoted.text)) == {"owner": False, "admin": False, "member": True}
    assert await table.role("arthur") is Role.OWNER


async def test_deactivated_member_cannot_become_an_owner(table: RoundTable) -> None:
    await table.world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'bors%'")

    refused = await table.post(table.member("bors"), role="owner")

    assert alert(refused) == "This account is deactivated, so it can't own a group."
    assert await table.role("bors") is Role.MEMBER


async def test_admin_cannot_grant_the_owner_role(table: RoundTable) -> None:
    refused = await table.post(table.member("bors"), "kay", role="owner")

    assert (refused.status_code, alert(refused)) == (403, "Your role in this group doesn't allow this.")
    assert await table.role("bors") is Role.MEMBER


async def test_role_that_does_not_exist_is_refused_and_the_form_shown_again(table: RoundTable) -> None:
    refused = await table.post(table.member("bors"), role="king")

    assert refused.status_code == 422
    assert len(offered(Page(refused.text))) == 3


async def test_those_who_are_no_admins_do_not_see_the_page(table: RoundTable) -> None:
    shown = [await table.get(table.member("bors"), who) for who in ("bors", "mordred")]
    sent = [await table.post(table.member("kay"), who, role="member") for who in ("bors", "mordred")]

    assert [each.status_code for each in (*shown, *sent)] == [403, 404, 403, 404]
    assert all(Page(each.text).find("form") == [] for each in (*shown, *sent))
    assert await table.role("kay") is Role.ADMIN


async def test_admin_who_lost_the_role_is_refused_at_the_next_click(table: RoundTable) -> None:
    await table.page(table.member("bors"), "kay")
    await table.set_role("kay", Role.MEMBER)

    changed = await table.post(table.member("bors"), "kay", role="admin")
    removed = await table.post(f"{table.member('bors')}/remove", "kay")

    for refused in (changed, removed):
        assert refused.status_code == 403
        assert "Your role in this group doesn't allow this." in Page(refused.text).one("main").text
        assert Page(refused.text).find("input", name="role") == []
    assert await table.role("bors") is Role.MEMBER


async def test_member_who_was_removed_before_is_not_found(table: RoundTable) -> None:
    answers = [
        await table.get(table.member("mordred")),
        await table.post(table.member("mordred"), role="admin"),
        await table.post(f"{table.member('mordred')}/remove"),
    ]

    for answer in answers:
        assert answer.status_code == 404
        assert "isn't a member of the group" in Page(answer.text).one("main").text


async def test_own_page_leads_to_leaving_and_warns_about_a_lower_role(table: RoundTable) -> None:
    page = await table.page(table.member("kay"), "kay")
    changed = await table.post(table.member("kay"), "kay", role="member")

    assert page.find("button", class_="danger") == []
    assert f"/account/groups/{table.group.id}/leave" in hrefs(page)
    assert "can't take it back yourself" in page.html
    assert (location(changed), what_was_done(changed)) == (f"/account/groups/{table.group.id}", "role-changed")
    assert await table.world.mails(MailKind.ROLE_CHANGED) == []


async def test_who_removes_themselves_comes_to_the_list_of_groups(table: RoundTable) -> None:
    removed = await table.post(f"{table.member('kay')}/remove", "kay")

    assert (location(removed), what_was_done(removed)) == ("/account/groups", "member-removed")
    assert await table.role("kay") is None


async def test_opening_pages_changes_nothing(table: RoundTable) -> None:
    await table.page(table.member("bors"), "kay")
    answer = await table.get(f"{table.member('bors')}/remove", "kay")

    assert answer.status_code == 405
    assert await table.role("bors") is Role.MEMBER


async def test_hostile_names_are_shown_as_text(table: RoundTable) -> None:
    hostile = "<script>x</script>\"'"
    async with table.world.owner() as db:
        statement = "UPDATE \"user\" SET display_name = $1 WHERE email LIKE 'bors%'"
        await (await db.connection()).exec_driver_sql(statement, (hostile,))

    page = await table.page(table.member("bors"), "kay")

    assert page.find("script") == []
    assert page.one("h1").text == f"{hostile} in Round Table"


async def test_letters_that_a_change_causes_are_counted(table: RoundTable) -> None:
    table.world.change_settings(throttle_scale=1)
    connect, account = table.world.state["connect"], str(table.people["kay"].id)
    await check_rate_limit(connect, Attempt.MAIL_OTHERS, "", account=account, cost=MAILS_PER_ACCOUNT.attempts)

    refused = await table.post(table.member("bors"), "kay", role="admin")

    assert refused.status_code == 429
    assert "Too many attempts." in alert(refused)
    assert len(offered(Page(refused.text))) == 2
    assert await table.role("bors") is Role.MEMBER
