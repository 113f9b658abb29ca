"""The page of a user's groups."""

from accounts.models import Role
from support.account_pages import enter, get
from support.html import Page
from support.people import World


async def test_groups_are_listed_with_a_link_for_those_who_manage_them(world: World) -> None:
    arthur = await world.user("arthur")
    own = await world.group("Round <Table>", members={arthur: Role.OWNER})
    other = await world.group("Camelot", members={arthur: Role.MEMBER})
    await world.require_second_factor(own)

    page = Page((await get(world, "/groups", await enter(world))).text)

    hrefs = [each.attributes["href"] for each in page.find("a")]
    assert f"/account/groups/{own.id}" in hrefs
    assert f"/account/groups/{other.id}" not in hrefs
    assert page.one("span", class_="badge").text == "Second factor required"


async def test_long_list_goes_on_on_further_pages(world: World) -> None:
    arthur = await world.user("arthur")
    for name in ("Round Table", "Camelot"):
        await world.group(name, members={arthur: Role.MEMBER})
    page = Page((await get(world, "/groups?limit=1", await enter(world))).text)

    assert f'href="/account/groups/{table.group.id}"' in listed.text
    assert [each.text for each in Page(before.text).find("strong")] == ["Kay", "Bors"]
    assert Page(before.text).one("h1").text == "Round <Table>"
    assert (changed.status_code, changed.headers["location"]) == (303, f"/account/groups/{table.group.id}")
    assert Page(before.text).one("button", name="required_aal").attributes["value"] == "2"
    assert Page(after.text).one("button", name="required_aal").attributes["value"] == "1"
    assert "Second factor required" in (await get(table.world, "/groups", table.cookie)).text


async def test_owner_without_a_second_factor_in_the_session_is_told_to_use_one(table: Table) -> None:
    refused = await table.require(2)

    assert refused.status_code == 403
    assert "This needs a second factor." in refused.text
    assert Page(refused.text).one("a", **{"class": "button"}).attributes["href"] == "/account/security"


async def test_admin_sees_the_page_without_the_button_and_members_do_not(table: Table) -> None:
    kay, bors = [await enter(table.world, f"{name}@camelot.example.com") for name in ("kay", "bors")]

    seen, hidden, refused = await table.page(kay), await table.page(bors), await table.require(2, kay)

    assert (seen.status_code, hidden.status_code, refused.status_code) == (200, 403, 403)
    assert Page(seen.text).find("button") == []


async def test_long_lists_go_on_on_further_pages(table: Table) -> None:
    await table.world.group("Camelot", members={table.arthur: Role.MEMBER})

    users, groups = await table.page(path="?limit=1"), await get(table.world, "/groups?limit=1", table.cookie)
    more = [
        [link for link in Page(each.text).find("a") if "cursor=" in link.attributes["href"]] for each in (users, groups)
    ]

    assert [[link.text for link in links] for links in more] == [["More users"], ["More"]]
    (link,) = more[0]
    following = await get(table.world, link.attributes["href"].removeprefix("/account"), table.cookie)
    assert [each.text for each in Page(following.text).find("strong")] == ["Bors"]
    assert [each.text for each in page.find("a") if "cursor=" in each.attributes["href"]] == ["More groups"]
