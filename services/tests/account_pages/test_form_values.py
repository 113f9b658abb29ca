"""What links and forms may bring to a page. The walks cover all pages, also those that are added later."""

import pytest

from accounts.api.account_pages.render import FROM_LINKS
from support.account_pages import enter
from support.group_pages import RoundTable, round_table
from support.html import Element, Page
from support.operations import PATH_VALUES, Operation, name_of, page_operations
from support.people import World

PAGES = [each for each in page_operations() if each.method == "get"]
FORMS = [each for each in page_operations() if each.method == "post" and each.fields()]
WITH_PARAMETERS = [each for each in page_operations() if "{" in each.path and each.method != "head"]
DIGITS = "9" * 5000  # Python converts 4,300 to an integer, and not more


class Court:
    """A superuser who owns a group, and the pages of the group and of one of its members."""

    def __init__(self, table: RoundTable, cookie: str) -> None:
        self.client, self.headers = table.world.client, {"Cookie": cookie}
        self.ids = PATH_VALUES | {"group_id": str(table.group.id), "user_id": str(table.people["bors"].id)}

    def url(self, operation: Operation) -> str:
        return operation.path.format_map(self.ids)


@pytest.fixture
async def court(world: World) -> Court:
    table = await round_table(world)
    await world.sql("UPDATE \"user\" SET is_verified = true, is_superuser = true WHERE email LIKE 'arthur%'")
    return Court(table, await enter(world))


def controls(page: Page) -> list[Element]:
    """Return what users fill in or choose in forms that change something."""
    found = [each for tag in ("input", "textarea", "option") for each in page.find(tag)]
    return [
        each
        for each in found
        if each.form
        and each.form.attributes.get("method") == "post"
        and (each.attributes.get("type") != "hidden" or each.attributes["name"] not in FROM_LINKS)
    ]


def planted(control: Element) -> str:
    return control.attributes.get("value") or "planted"


@pytest.mark.parametrize("operation", PAGES, ids=name_of)
async def test_link_fills_in_no_form_that_changes_something(court: Court, operation: Operation) -> None:
    url = court.url(operation)
    plain = await court.client.get(url, headers=court.headers)
    if not plain.headers.get("content-type", "").startswith("text/html"):
        return
    before = controls(Page(plain.text))
    names = {each.attributes["name"] for each in before if "name" in each.attributes} | {"role", "visibility", "email"}

    values = [dict.fromkeys(names, "planted"), *({name: planted(each)} for each in before for name in names)]
    for query in values[:20]:
        answer = await court.client.get(url, headers=court.headers, params=query)
        assert controls(Page(answer.text)) == before or answer.status_code == 422, query


@pytest.mark.parametrize("operation", FORMS, ids=name_of)
async def test_file_in_the_place_of_a_text_is_refused(court: Court, operation: Operation) -> None:
    for name in operation.fields():
        files = {name: ("a.txt", b"planted")}
        for headers in ({}, court.headers):
            answer = await court.client.post(court.url(operation), data={"x": "y"}, files=files, headers=headers)
            assert answer.status_code < 500, name
            assert "UploadFile" not in answer.text


@pytest.mark.parametrize("operation", WITH_PARAMETERS, ids=name_of)
async def test_number_in_a_path_may_have_thousands_of_digits(court: Court, operation: Operation) -> None:
    url = operation.path.format_map(dict.fromkeys(PATH_VALUES, DIGITS))
    for headers in ({}, court.headers):
        answer = await court.client.request(operation.method, url, headers=headers)
        assert answer.status_code in {303, 404, 422}
