"""Filters of all pages: a value that cannot be used is an error at its field, and never ignored.

The walk covers all lists of account and admin pages, also those that are added later.
"""

import pytest

from accounts.models import Role
from support.account_pages import ARTHUR, enter
from support.html import Page
from support.operations import PATH_VALUES, Operation, name_of, page_operations
from support.people import World

# Values that no row has. Some are usable in some fields: then nothing is found.
ODD = ["x" * 3000, "x" * 250, "nope", "a\x00b", "0", "-1", "9" * 20, "2026-02-30", "9999-12-31", "0001-01-01", "1e3"]
BY_LINKS = {"limit", "cursor"}  # no fields of forms
EVERYTHING = {("until", "9999-12-31"), ("since", "0001-01-01")}


def filters(operation: Operation) -> list[str]:
    parameters = operation.description.get("parameters", ())
    return [each["name"] for each in parameters if each["in"] == "query" and each["name"] not in BY_LINKS]


LISTS = [each for each in page_operations() if each.method == "get" and "limit" in str(each.description)]


async def path_of(world: World, operation: Operation) -> str:
    arthur = await world.user("arthur", superuser=True)
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    return operation.path.format_map(PATH_VALUES | {"group_id": str(group.id), "user_id": str(arthur.id)})


def check_refused(page: Page, name: str) -> None:
    """Require the error at the field that was sent, and at no other."""
    invalid = [each.attributes["name"] for each in page.fields() if "aria-invalid" in each.attributes]
    named = [each.attributes["name"] for each in page.fields()]
    assert invalid == ([name] if name in named else []), page.one("main").text
    assert ("marked below" in page.one("main").text) is bool(invalid)
    assert not page.find("tbody")


def check_used(page: Page, name: str, value: str) -> None:
    """Require that the value is still in its field, and that nothing was found by it."""
    [field] = [each for each in page.fields() if each.attributes["name"] == name]
    assert field.attributes["value"] == value.replace("\0", "")  # which HTML cannot contain
    assert (name, value) in EVERYTHING or not page.find("tbody")


@pytest.mark.parametrize("operation", [each for each in LISTS if filters(each)], ids=name_of)
async def test_value_that_cannot_be_used_is_an_error_at_its_field(world: World, operation: Operation) -> None:
    path = await path_of(world, operation)
    headers = {"Cookie": await enter(world, ARTHUR)}
    for name in filters(operation):
        for value in ODD:
            answer = await world.client.get(path, params={name: value}, headers=headers)
            if answer.status_code == 200:
                check_used(Page(answer.text), name, value)
            else:
                assert answer.status_code == 422, (name, value)
                check_refused(Page(answer.text), name)


async def test_one_bad_filter_keeps_the_others(world: World) -> None:
    await world.user("arthur", superuser=True)
    query = {"action": "nope", "by": "x", "since": "2026-02-30", "until": "2026-01-31", "group": "7"}

    answer = await world.client.get("/admin/audit", params=query, headers={"Cookie": await enter(world, ARTHUR)})

    page = Page(answer.text)
    faults = {each.attributes["id"]: each.text for each in page.find(class_="fault")}
    assert faults == {
        "action-fault": "Choose one from the list.",
        "by-fault": "No user has this email address. For a deleted account, enter its ID.",
        "since-fault": "Enter a date like 2026-01-31.",
    }
    assert [page.one("input", name=name).attributes["value"] for name in ("until", "group")] == ["2026-01-31", "7"]


async def test_bad_cursor_is_no_error_of_a_field(world: World) -> None:
    await world.user("arthur", superuser=True)
    headers = {"Cookie": await enter(world, ARTHUR)}

    answer = await world.client.get("/admin/audit", params={"limit": "0", "since": "x"}, headers=headers)

    assert answer.status_code == 422
    assert "Something in this request isn't valid" in Page(answer.text).one("main").text


async def test_last_day_of_the_calendar_ends_no_list(world: World) -> None:
    await world.user("arthur", superuser=True)
    headers = {"Cookie": await enter(world, ARTHUR)}

    found = await world.client.get("/admin/audit", params={"until": "9999-12-31"}, headers=headers)
    nothing = await world.client.get("/admin/audit", params={"since": "9999-12-31"}, headers=headers)

    assert Page(found.text).find("tbody")
    assert "Nothing in the audit log matches these filters." in Page(nothing.text).one("main").text
