"""The pages of groups: who would be locked out, and the button that requires a second factor."""

import pytest
from httpx2 import Response

from accounts.models import Role, User, UserGroup
from support.account_pages import enter, get, post
from support.html import Page
from support.people import World


class Table:
    """A group of Arthur, who has a second factor, and Kay and Bors, who have none."""

    def __init__(self, world: World, group: UserGroup, arthur: User, cookie: str) -> None:
        self.world, self.group, self.arthur, self.cookie = world, group, arthur, cookie

    async def page(self, cookie: str = "", path: str = "") -> Response:
        return await get(self.world, f"/groups/{self.group.id}{path}", cookie or self.cookie)

    async def require(self, level: int, cookie: str = "") -> Response:
        return await post(self.world, "/groups", cookie or self.cookie, group=self.group.id, required_aal=level)


@pytest.fixture
async def table(world: World) -> Table:
    arthur = await world.user("arthur")
    members = {arthur: Role.OWNER, await world.user("kay"): Role.ADMIN, await world.user("bors"): Role.MEMBER}
    group = await world.group("Round <Table>", members=members)
    cookie = await enter(world)
    await world.sql("UPDATE \"user\" SET second_factors = '{totp}' WHERE email LIKE 'arthur%'")
    return Table(world, group, arthur, cookie)


async def test_owner_sees_who_would_be_locked_out_and_requires_a_second_factor(table: Table) -> None:
    await table.world.raise_level(table.arthur)
    listed = await get(table.world, "/groups", table.cookie)
    before = await table.page()
    changed = await table.require(2)
    after = await table.page()

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
