"""The page of one group: what it says about the group, and which members it shows to which viewers."""

from urllib.parse import urlsplit

import pytest

from accounts.db.session import transaction
from accounts.models import Role, Visibility
from support.account_pages import get
from support.group_pages import RoundTable, badges, cells, hrefs, names, round_table
from support.html import Page
from support.people import World
from support.schema import recorded_statements

HOSTILE = "<script>alert(1)</script> \"'& \u05d0\u200f"


@pytest.fixture
async def table(world: World) -> RoundTable:
    return await round_table(world)


def facts(page: Page) -> dict[str, str]:
    return dict(zip((each.text for each in page.find("dt")), (each.text for each in page.find("dd")), strict=True))


async def test_page_says_what_the_group_is_and_which_role_the_viewer_has(table: RoundTable) -> None:
    await table.world.sql("UPDATE user_group SET description = E'Knights\nand kings'")

    page = await table.page(who="kay")

    assert page.one("h1").text == "Round Table"
    assert page.one("p", class_="description").text == "Knights and kings"
    assert facts(page) == {
        "Visibility": "Private: only members can see the group.",
        "Second factor": "Members need no second factor.",
        "Your role": "Admin",
    }


async def test_members_are_listed_with_address_role_and_since_when(table: RoundTable) -> None:
    page = await table.page(who="bors")

    assert names(page) == ["Arthur", "Kay", "Bors"]
    assert badges(page) == ["You"]
    assert cells(page, "Email") == [f"{name}@camelot.example.com" for name in ("arthur", "kay", "bors")]
    assert cells(page, "Role") == ["Owner", "Admin", "Member"]
    assert len(page.find("time")) == 3


async def test_service_account_is_marked_and_has_no_address(table: RoundTable) -> None:
    account = await table.add_service_account("Roster sync")

    page = await table.page(who="bors")

    assert names(page)[-1] == "Roster sync"
    assert badges(page) == ["You", "Service account"]
    assert len(cells(page, "Email")[-1]) == 1
    assert account.email not in page.html


async def test_everyone_has_links_to_what_their_role_may_do(table: RoundTable) -> None:
    pages = {who: await table.page(who=who) for who in ("arthur", "kay", "bors")}
    base = f"/account/groups/{table.group.id}"
    links = {who: {each.removeprefix(base) for each in hrefs(page)} for who, page in pages.items()}
    to_members = {who: {each for each in found if each.startswith("/members")} for who, found in links.items()}

    assert links["bors"] == {"/leave", "/account/groups"}
    assert links["kay"] - to_members["kay"] == links["bors"] | {"/settings", "/invitations", "/import"}
    assert links["arthur"] - to_members["arthur"] == links["kay"] - to_members["kay"] | {"/transfer"}
    assert to_members["kay"] == {table.member(who) for who in ("kay", "bors")}
    assert to_members["arthur"] == {table.member(who) for who in ("arthur", "kay", "bors")}


async def test_public_group_shows_names_without_addresses_to_those_who_are_no_members(world: World) -> None:
    table = await round_table(world, Visibility.PUBLIC)

    page = await table.page(who="mordred")

    assert facts(page)["Visibility"] == "Public: everyone can see the group and the names of its members."
    assert facts(page)["Your role"] == "You aren't a member."
    assert names(page) == ["Arthur", "Kay", "Bors"]
    assert "@" not in page.html
    assert hrefs(page) == ["/account/groups"]


async def test_private_group_is_hidden_from_those_who_are_no_members(table: RoundTable) -> None:
    hidden = await table.get(who="mordred")
    missing = await get(table.world, "/groups/999999", await table.cookie("mordred"))

    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert "Round Table" not in hidden.text


async def test_page_leads_to_the_sign_in_and_back(table: RoundTable) -> None:
    answer = await get(table.world, f"/groups/{table.group.id}")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/account/sign-in?next=%2Fgroups%2F{table.group.id}"


async def test_superuser_manages_groups_without_being_a_member(table: RoundTable) -> None:
    await table.world.user("merlin", superuser=True)

    page = await table.page(who="merlin")

    base = f"/account/groups/{table.group.id}"
    assert {f"{base}/settings", f"{base}{table.member('arthur')}"} <= set(hrefs(page))
    assert f"{base}/leave" not in hrefs(page)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=k", ["Kay"]),
        ("q=KAY%40camelot", ["Kay"]),
        ("role=owner", ["Arthur"]),
        ("q=&role=", ["Arthur", "Kay", "Bors"]),
        ("q=k&role=member", []),
    ],
)
async def test_search_finds_members_by_name_address_and_role(table: RoundTable, query: str, found: list[str]) -> None:
    page = await table.page(f"?{query}", "kay")

    assert names(page) == found
    assert bool(page.find("div", class_="empty")) is (found == [])


async def test_search_shows_what_was_searched_for(table: RoundTable) -> None:
    page = await table.page("?q=k&role=admin")

    assert page.one("input", name="q").attributes["value"] == "k"
    assert [each.text for each in page.find("option", selected="")] == ["Admin"]
    assert all("@" not in each for each in hrefs(page))


async def test_those_who_see_no_addresses_cannot_search_by_them(world: World) -> None:
    table = await round_table(world, Visibility.PUBLIC)

    page = await table.page("?q=kay%40camelot.example.com", "mordred")

    assert names(page) == []
    assert "email" not in page.one("label", for_="q").text


async def test_further_pages_keep_the_search(table: RoundTable) -> None:
    first = await table.page("?limit=1&role=member")
    await table.set_role("kay", Role.MEMBER)
    more = [each for each in hrefs(await table.page("?limit=1&role=member")) if "cursor=" in each]

    assert [each for each in hrefs(first) if "cursor=" in each] == []
    [url] = more
    assert urlsplit(url).query.startswith("role=member&cursor=")
    assert names(await table.page(f"?{urlsplit(url).query}")) == ["Bors"]


async def test_search_that_cannot_be_and_cursor_of_another_list_are_refused(table: RoundTable) -> None:
    hiding, foreign = await table.get("?q=a%E2%80%AEb"), await table.get("?cursor=x")

    assert (hiding.status_code, foreign.status_code) == (422, 400)
    assert "Open the list from its beginning." in foreign.text


async def test_page_past_the_end_says_that_there_are_no_more_members(table: RoundTable) -> None:
    [url] = [each for each in hrefs(await table.page("?limit=2")) if "cursor=" in each]
    await table.world.sql("DELETE FROM membership WHERE role = 'member'")

    page = await table.page(f"?{urlsplit(url).query}")

    assert page.one("div", class_="empty").text.strip() == "There are no more members."


async def test_session_without_the_required_factor_sees_the_group_and_not_the_members(table: RoundTable) -> None:
    await table.world.require_second_factor(table.group)

    page = await table.page()

    assert "requires a second factor" in page.one("p", class_="notice").text
    assert facts(page)["Second factor"] == "Members need a second factor."
    assert names(page) == []
    assert "arthur@" not in page.html
    assert f"/account/groups/{table.group.id}/settings" not in hrefs(page)
    assert {f"/account/groups/{table.group.id}/leave", "/account/security"} <= set(hrefs(page))


async def test_member_with_a_factor_is_led_to_the_page_that_asks_for_it_and_back(table: RoundTable) -> None:
    await table.world.require_second_factor(table.group)
    await table.cookie("arthur")
    await table.world.sql("UPDATE \"user\" SET second_factors = '{totp}'")

    page = await table.page()
    [link] = [each for each in hrefs(page) if "confirm" in each]

    assert link == f"/account/confirm?next=/groups/{table.group.id}"
    assert (await get(table.world, link.removeprefix("/account"), await table.cookie("arthur"))).status_code == 200


async def test_admin_sees_who_lacks_the_required_factor(table: RoundTable) -> None:
    for who in ("kay", "bors"):
        await table.cookie(who)
        await table.world.raise_level(table.people[who])
    await table.world.require_second_factor(table.group)
    await table.world.sql("UPDATE \"user\" SET second_factors = '{totp}' WHERE email NOT LIKE 'bors%'")

    assert badges(await table.page(who="kay")) == ["You", "No second factor"]
    assert badges(await table.page(who="bors")) == ["You"]


async def test_hostile_texts_are_shown_as_text(table: RoundTable) -> None:
    await table.add_service_account("Roster")
    async with table.world.owner() as db:
        connection = await db.connection()
        for statement in (
            "UPDATE user_group SET name = $1, description = $1",
            'UPDATE "user" SET display_name = $1 WHERE NOT is_superuser',
        ):
            await connection.exec_driver_sql(statement, (HOSTILE,))

    page = await table.page()

    assert page.find("script") == []
    assert page.one("h1").text == HOSTILE
    assert names(page) == [HOSTILE] * 4


async def test_list_takes_the_same_statements_whatever_it_shows(table: RoundTable) -> None:
    counts = []
    await table.page()
    for _ in range(2):
        async with transaction(table.world.sessionmaker) as db, recorded_statements(db) as run:
            await table.page()
        counts.append(len(run))
        await table.add_service_account("Roster sync")

    assert counts == [4, 4]


async def test_what_is_no_number_is_no_group(table: RoundTable) -> None:
    answer = await get(table.world, "/groups/round-table", await table.cookie("arthur"))

    assert answer.status_code == 404
