"""The second factor of a group: who would be locked out, and the button that requires it."""

import pytest
from httpx2 import Response

from accounts.models import Role
from support.account_pages import what_was_done
from support.group_pages import RoundTable, hrefs, round_table
from support.html import Page
from support.people import World

PAGE = "/second-factor"


@pytest.fixture
async def table(world: World) -> RoundTable:
    """Arthur has a second factor, and Kay and Bors have none."""
    table = await round_table(world)
    await table.cookie("arthur")
    await world.sql("UPDATE \"user\" SET second_factors = '{totp}' WHERE email LIKE 'arthur%'")
    return table


async def require(table: RoundTable, level: int, who: str = "arthur") -> Response:
    return await table.post(PAGE, who, required_aal=level)


async def test_owner_sees_who_would_be_locked_out_and_requires_a_second_factor(table: RoundTable) -> None:
    await table.world.raise_level(table.people["arthur"])
    before = await table.page(PAGE)
    changed = await require(table, 2)
    after = await table.page(PAGE)

    assert [each.text for each in before.find("strong")] == ["Kay", "Bors"]
    assert [each.text for each in before.find("dd")] == ["2", "0"]
    assert before.one("h1").text == "Second factor in Round Table"
    assert changed.status_code == 303
    assert (changed.headers["location"], what_was_done(changed)) == (
        f"/account/groups/{table.group.id}{PAGE}",
        "group-changed",
    )
    assert before.one("button", name="required_aal").attributes["value"] == "2"
    assert after.one("button", name="required_aal").attributes["value"] == "1"


async def test_owner_no_longer_requires_it(table: RoundTable) -> None:
    await table.world.raise_level(table.people["arthur"])
    await require(table, 2)
    await require(table, 1)

    assert (await table.page(PAGE)).one("button", name="required_aal").attributes["value"] == "2"


async def test_owner_without_a_second_factor_in_the_session_is_told_to_use_one(table: RoundTable) -> None:
    refused = await require(table, 2)

    assert refused.status_code == 403
    assert "This needs a second factor." in refused.text
    assert Page(refused.text).one("a", **{"class": "button"}).attributes["href"] == "/account/security"


async def test_admin_sees_the_page_without_the_button_and_members_do_not(table: RoundTable) -> None:
    seen, hidden = await table.page(PAGE, "kay"), await table.get(PAGE, "bors")
    refused = await require(table, 2, "kay")

    assert (hidden.status_code, refused.status_code) == (403, 403)
    assert seen.find("button") == []
    assert "Only owners can change this." in seen.html


async def test_owner_who_lost_the_role_is_refused_at_the_next_click(table: RoundTable) -> None:
    await table.world.raise_level(table.people["arthur"])
    await table.page(PAGE)
    await table.set_role("arthur", Role.ADMIN)

    assert (await require(table, 2)).status_code == 403
    assert (await table.page(PAGE)).find("button") == []


async def test_long_list_goes_on_on_further_pages(table: RoundTable) -> None:
    [link] = [each for each in (await table.page(f"{PAGE}?limit=1")).find("a") if "cursor=" in each.attributes["href"]]
    path = link.attributes["href"].removeprefix(f"/account/groups/{table.group.id}")

    assert link.text == "More users"
    assert [each.text for each in (await table.page(path)).find("strong")] == ["Bors"]


async def test_page_leads_back_to_the_settings(table: RoundTable) -> None:
    assert f"/account/groups/{table.group.id}/settings" in hrefs(await table.page(PAGE))
