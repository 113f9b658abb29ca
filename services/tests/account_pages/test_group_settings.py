"""The settings of a group: name, description and visibility; and its deletion."""

import pytest
from sqlmodel import select

from accounts.db.session import transaction
from accounts.models import Role, UserGroup, Visibility
from support.account_pages import alert, message, what_was_done
from support.group_pages import RoundTable, hrefs, round_table
from support.html import Page
from support.people import World


@pytest.fixture
async def table(world: World) -> RoundTable:
    return await round_table(world)


async def stored(table: RoundTable) -> UserGroup | None:
    async with transaction(table.world.sessionmaker) as db:
        return (await db.exec(select(UserGroup).where(UserGroup.id == table.group.id))).one_or_none()


def option(page: Page) -> str:
    [selected] = page.find("option", selected="")
    return selected.attributes["value"]


async def test_admin_changes_name_and_description(table: RoundTable) -> None:
    changed = await table.post("/settings", "kay", name="Square Table", description="Four\r\ncorners")
    page = await table.page("/settings", "kay")
    group = await stored(table)

    assert (changed.headers["location"], what_was_done(changed)) == (
        f"/account/groups/{table.group.id}/settings",
        "group-changed",
    )
    assert group
    assert (group.name, group.description, group.visibility) == ("Square Table", "Four\ncorners", Visibility.PRIVATE)
    assert page.one("input", name="name").attributes["value"] == "Square Table"
    assert page.one("textarea").text == "Four corners"
    assert await message(table.world, changed, await table.cookie("kay")) == "The settings of the group were changed."


async def test_owner_changes_who_can_see_the_group(table: RoundTable) -> None:
    before = await table.page("/settings")
    await table.post("/settings", name="Round Table", visibility="public")

    assert option(before) == "private"
    assert option(await table.page("/settings")) == "public"


@pytest.mark.parametrize(("visibility", "word"), [(Visibility.PRIVATE, "Private"), (Visibility.PUBLIC, "Public")])
async def test_admin_reads_the_visibility_and_cannot_change_it(world: World, visibility: Visibility, word: str) -> None:
    table = await round_table(world, visibility)
    page = await table.page("/settings", "kay")
    other = next(each for each in Visibility if each is not visibility)
    refused = await table.post("/settings", "kay", name="Square Table", visibility=other)
    group = await stored(table)

    assert page.find("select") == []
    assert f"{word}: " in page.html
    assert (refused.status_code, alert(refused)) == (403, "Your role in this group doesn't allow this.")
    assert group
    assert (group.name, group.visibility) == ("Round Table", visibility)


async def test_taken_name_is_reported_at_its_field_and_the_input_kept(table: RoundTable) -> None:
    await table.world.group("Grail Quest")

    refused = await table.post("/settings", name="grail quest", description="Seek", visibility="public")
    page = Page(refused.text)

    assert refused.status_code == 409
    assert page.one(class_="fault").text == "Another public group has this name. Choose a different one."
    assert page.one("input", name="name").attributes["value"] == "grail quest"
    assert page.one("textarea").text == "Seek"
    assert option(page) == "public"


@pytest.mark.parametrize("name", ["", "\u3164", "x" * 101])
async def test_unusable_name_is_reported_at_its_field(table: RoundTable, name: str) -> None:
    refused = await table.post("/settings", name=name)

    assert refused.status_code == 422
    assert Page(refused.text).one("input", name="name").attributes["aria-invalid"] == "true"


async def test_those_who_are_no_admins_do_not_see_the_page(table: RoundTable) -> None:
    for who, status in (("bors", 403), ("mordred", 404)):
        answers = [await table.get("/settings", who), await table.post("/settings", who, name="Square Table")]
        assert [each.status_code for each in answers] == [status, status]
        assert all(Page(each.text).find("form") == [] for each in answers)


async def test_admin_who_lost_the_role_is_refused_at_the_next_click(table: RoundTable) -> None:
    await table.page("/settings", "kay")
    await table.set_role("kay", Role.MEMBER)

    refused = await table.post("/settings", "kay", name="Square Table")
    group = await stored(table)

    assert refused.status_code == 403
    assert Page(refused.text).find("form") == []
    assert group
    assert group.name == "Round Table"


async def test_link_does_not_fill_the_form_in(table: RoundTable) -> None:
    page = await table.page("/settings?name=Mordred&visibility=public&description=Mine")

    assert page.one("input", name="name").attributes["value"] == "Round Table"
    assert page.one("textarea").text.strip() == ""
    assert option(page) == "private"


async def test_hostile_texts_are_shown_as_text(table: RoundTable) -> None:
    hostile = "</textarea><script>x</script>\"'"
    await table.post("/settings", name=hostile, description=hostile)

    for path in ("/settings", "/delete", "/second-factor"):
        page = await table.page(path)
        assert page.find("script") == []
        assert hostile in page.one("h1").text


async def test_settings_lead_to_the_second_factor_and_owners_to_the_deletion(table: RoundTable) -> None:
    owner, admin = [hrefs(await table.page("/settings", who)) for who in ("arthur", "kay")]
    base = f"/account/groups/{table.group.id}"

    assert {f"{base}/second-factor", f"{base}/delete", base} <= set(owner)
    assert f"{base}/second-factor" in admin
    assert f"{base}/delete" not in admin


async def test_owner_deletes_the_group_after_reading_who_loses_it(table: RoundTable) -> None:
    page = await table.page("/delete")
    assert await stored(table)
    deleted = await table.post("/delete")

    assert page.one("h1").text == "Delete Round Table?"
    assert page.one("dd").text == "3"
    assert "can't be undone" in page.html
    assert (deleted.headers["location"], what_was_done(deleted)) == ("/account/groups", "group-deleted")
    assert await stored(table) is None
    assert (await table.get()).status_code == 404


async def test_only_owners_delete_the_group(table: RoundTable) -> None:
    for who, status in (("kay", 403), ("bors", 403), ("mordred", 404)):
        assert [(await table.get("/delete", who)).status_code, (await table.post("/delete", who)).status_code] == [
            status,
            status,
        ]
    await table.page("/delete")
    await table.world.join(table.group.id, table.people["mordred"], Role.OWNER)
    await table.set_role("arthur", Role.ADMIN)

    assert (await table.post("/delete")).status_code == 403
    assert await stored(table)
