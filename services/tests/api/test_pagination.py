"""Keyset pages: every list can be read forward and backward, and rejects cursors that it did not issue."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest
import starlette.responses
from fastapi import Request
from httpx2 import Response

from accounts.api.pagination import add_link_header
from accounts.models import Role, User, UserGroup
from accounts.schemas.pagination import Page
from support.people import World

LISTS = {
    "groups": "/user-groups?",
    "groups by name": "/user-groups?name=gROUP&",
    "public groups": "/user-groups?visibility=public&",
    "own groups": "/users/me/groups?",
    "own groups by role": "/users/me/groups?role=member&",
    "members": "/user-groups/1/users?",
    "members by role": "/user-groups/1/users?role=member&",
    "members by name": "/user-groups/1/users?name=kn&",
    "members by address": "/user-groups/1/users?email=kn&",
    "members by role and name": "/user-groups/1/users?role=member&name=kn&",
    "users": "/users?",
    "users by name": "/users?name=kn&",
    "users by address": "/users?email=kn&",
    "users by flag": "/users?is_active=true&",
    "events": "/audit?",
    "events of an action": "/audit?action=user.created&",
    "activity": "/users/me/activity?",
}  # each of seven rows at least
BY_UUID, BY_NUMBER = ("members", "members by role", "users", "users by flag"), ("own groups", "own groups by role")
NAMED_USERS, NAMED_GROUPS = ("members by name", "users by name"), ("groups", "groups by name", "public groups")
IN_TIME = ("events", "events of an action", "activity")
EMAILS = ("members by address", "users by address")
SOME_ID = "01999999-9999-7999-8999-999999999999"


class Reader:
    """A superuser, who may read every list."""

    def __init__(self, world: World, headers: dict[str, str], groups: list[UserGroup], knights: list[User]) -> None:
        self.world, self.client, self.headers = world, world.client, headers
        self.groups, self.knights = groups, knights

    async def get(self, path: str) -> Response:
        answer = await self.client.get(path.replace("/1/", f"/{self.groups[0].id}/"), headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer

    async def rows(self, path: str) -> list[Any]:
        rows: list[Any] = (await self.get(path)).json()
        return rows

    async def remove(self, user_id: str) -> None:
        await self.client.delete(f"/user-groups/{self.groups[0].id}/users/{user_id}", headers=self.headers)

    async def walk(self, answer: Response, relation: str) -> list[Response]:
        """Follow the links of one relation to the end."""
        pages = [answer]
        while relation in pages[-1].links:
            pages.append(await self.get(pages[-1].links[relation]["url"]))
        return pages


@pytest.fixture
async def reader(world: World) -> Reader:
    """Seven knights with three names, in seven groups with similar names; Morgana is a member of all of them."""
    morgana = await world.user("morgana", superuser=True)
    knights = [await world.user(f"knight{number}", display_name=f"KNight {number // 3}") for number in range(7)]
    knights[0].display_name = "knight 0"
    members = dict.fromkeys([morgana, *knights], Role.MEMBER)
    names = ("Group", "group a", "GROUP B", "group \N{LATIN SMALL LETTER E WITH ACUTE}", "groups", "Group 0", "group_")
    groups = [await world.group(name, members=members) for name in names]
    headers = await world.sign_in(morgana)
    for number in range(7):
        body = {"name": f"Group {number}0"}
        await world.client.patch(f"/user-groups/{groups[number].id}", json=body, headers=headers)
    return Reader(world, headers, groups, knights)


async def test_links_lead_to_the_end_of_every_list_and_back(reader: Reader) -> None:
    for name, path in LISTS.items():
        whole = await reader.rows(path)
        assert len(whole) >= 7, name

        forward = await reader.walk(await reader.get(f"{path}limit=2"), "next")
        backward = await reader.walk(forward[-1], "prev")

        assert [row for page in forward for row in page.json()] == whole, name
        assert [page.json() for page in backward] == [page.json() for page in reversed(forward)], name
        assert "prev" not in forward[0].links
        assert "next" not in forward[-1].links


async def test_every_page_links_to_the_first_and_the_last_page(reader: Reader) -> None:
    for name, path in LISTS.items():
        whole = await reader.rows(path)
        for page in await reader.walk(await reader.get(f"{path}limit=3"), "next"):
            assert await reader.rows(page.links["first"]["url"]) == whole[:3], name
            assert await reader.rows(page.links["last"]["url"]) == whole[-3:], name

        last = await reader.get(page.links["last"]["url"])
        backward = await reader.walk(last, "prev")

        assert "next" not in last.links
        assert [row for page in reversed(backward) for row in page.json()] == whole, name


async def test_links_replace_a_cursor_whose_name_is_escaped(reader: Reader) -> None:
    second = (await reader.get("/users?limit=2")).links["next"]["url"]

    page = await reader.get(second.replace("cursor=", "%63ursor="))

    assert await reader.rows(page.links["first"]["url"]) == (await reader.rows("/users?limit=2"))
    assert page.links == (await reader.get(second)).links


async def test_single_page_has_no_links(reader: Reader) -> None:
    for path in LISTS.values():
        assert "Link" not in (await reader.get(path)).headers


async def test_cursor_is_valid_after_its_row_was_deleted(reader: Reader) -> None:
    path = "/user-groups/1/users?role=member&limit=2"
    first = await reader.get(path)
    second = await reader.get(first.links["next"]["url"])
    ids = [row["id"] for row in first.json() + second.json()]

    for user_id in ids[1:3]:  # the rows beside the cursor
        await reader.remove(user_id)

    assert (await reader.rows(first.links["next"]["url"]))[0]["id"] == ids[3]
    assert [row["id"] for row in await reader.rows(second.links["prev"]["url"])] == [ids[0]]


@pytest.mark.parametrize("relation", ["next", "prev"])
async def test_empty_page_links_to_the_remaining_rows(reader: Reader, relation: str) -> None:
    first = await reader.get("/user-groups/1/users?limit=2")
    page = first if relation == "next" else await reader.get(first.links["next"]["url"])
    for row in await reader.rows("/user-groups/1/users?"):
        if row not in page.json():
            await reader.remove(row["id"])

    empty = await reader.get(page.links[relation]["url"])

    assert empty.json() == []
    assert "next" not in empty.links
    for link in {"first", "last", *empty.links}:
        assert await reader.rows(empty.links[link]["url"]) == page.json()


def cursor(text: str | bytes) -> str:
    return urlsafe_b64encode(text if isinstance(text, bytes) else text.encode()).decode().rstrip("=")


MALFORMED = [
    "x",
    "%00",
    "AAAA",
    cursor(""),
    cursor(">"),
    cursor("?1"),
    cursor(b">\xff"),
    cursor(b"\xff\xfe"),
    "z" * 999,
]


async def test_malformed_cursor_is_rejected(reader: Reader) -> None:
    for name, path in LISTS.items():
        for forged in [*MALFORMED, cursor(">\0"), cursor("<\0"), cursor("> \0"), cursor(f">{SOME_ID} \0")]:
            answer = await get_page(reader, path, forged)
            assert (answer.status_code, answer.json()["detail"]) in {
                (400, "BAD_CURSOR"), (422, "REQUEST_INVALID"),
            }, f"{forged} of {name}"  # fmt: skip


FORGED = [
    *(
        (name, key)
        for name in (*BY_NUMBER, *NAMED_GROUPS)
        for key in ("0", "-1", "9223372036854775808", "9" * 700, "1.5", "a", f"{SOME_ID} a", "2026-01-01T00:00:00Z 1")
    ),
    *(
        (name, key)
        for name in (*BY_UUID, *NAMED_USERS)
        for key in ("1", SOME_ID[:-1], f"{SOME_ID}0", "1 a", "2026-01-01T00:00:00Z 1", " ", "9" * 700)
    ),
    *(
        (name, key)
        for name in IN_TIME
        for key in (
            "2026-01-01T00:00:00 1", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z 0", "2026-13-01T00:00:00Z 1", "1",
            "2026-01-01T00:00:00Z 9223372036854775808", "0001-01-01T00:00:00+23:59 1", "9999-12-31T23:59:59-23:59 1",
            SOME_ID, "2026-01-01T00:00:00Z " + "9" * 700,
        )
    ),
    *((name, key) for name in EMAILS for key in (SOME_ID, "1", "1 a", "2026-01-01T00:00:00Z 1")),
]  # fmt: skip


async def test_cursor_of_another_list_is_rejected(reader: Reader) -> None:
    for number, (name, key) in enumerate(FORGED):
        answer = await get_page(reader, LISTS[name], cursor(f"{'<>'[number % 2]}{key}"))
        assert (answer.status_code, answer.json()["detail"]) == (400, "BAD_CURSOR"), f"{key} of {name}"


async def get_page(reader: Reader, path: str, cursor: str) -> Response:
    path = path.replace("/1/", f"/{reader.groups[0].id}/")
    return await reader.client.get(f"{path}cursor={cursor}", headers=reader.headers)


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
async def test_time_range_outside_of_utc_is_rejected(reader: Reader, instant: str) -> None:
    for bound in ("since", "until"):
        answer = await reader.client.get("/audit", params={bound: instant}, headers=reader.headers)
        assert answer.status_code == 422


def test_link_header_escapes_the_query_of_the_request() -> None:
    scope = {"type": "http", "path": "/", "raw_path": b"/", "headers": [], "query_string": b'x=>; rel="evil", <\\'}
    response = starlette.responses.Response()

    add_link_header(Request(scope), response, Page([1], next="n", prev=None, last="l"))

    query = "x=%3E; rel=%22evil%22, %3C%5C"
    assert response.headers["Link"] == ", ".join(
        [f'</?{query}>; rel="first"', f'</?{query}&cursor=n>; rel="next"', f'</?{query}&cursor=l>; rel="last"']
    )
