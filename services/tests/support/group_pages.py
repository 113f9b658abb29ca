"""A group whose pages are requested by its owner, an admin, a member, and a user who is no member."""

from dataclasses import dataclass, field
from typing import Any

from httpx2 import Response
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.models import Membership, Role, User, UserGroup, Visibility
from support.account_pages import enter, get, post
from support.html import Page
from support.people import World

ROLES = {"arthur": Role.OWNER, "kay": Role.ADMIN, "bors": Role.MEMBER}


@dataclass
class RoundTable:
    """A group of Arthur, its owner, Kay, an admin, and Bors, a member. Mordred is no member."""

    world: World
    group: UserGroup
    people: dict[str, User]
    cookies: dict[str, str] = field(default_factory=dict)

    async def cookie(self, who: str) -> str:
        """Return the cookie of a person, who signs in at the first time."""
        if who not in self.cookies:
            self.cookies[who] = await enter(self.world, f"{who}@camelot.example.com")
        return self.cookies[who]

    async def get(self, path: str = "", who: str = "arthur") -> Response:
        """Open a page of the group."""
        return await get(self.world, f"/groups/{self.group.id}{path}", await self.cookie(who))

    async def page(self, path: str = "", who: str = "arthur") -> Page:
        """Open a page of the group that is shown."""
        answer = await self.get(path, who)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    async def post(self, path: str, who: str = "arthur", **form: Any) -> Response:
        """Send a form of a page of the group."""
        return await post(self.world, f"/groups/{self.group.id}{path}", await self.cookie(who), **form)

    def member(self, who: str) -> str:
        """Return the path of a member's page."""
        return f"/members/{self.people[who].id}"

    async def role(self, who: str) -> Role | None:
        """Return the stored role of a person."""
        conditions = col(Membership.group_id) == self.group.id, col(Membership.user_id) == self.people[who].id
        async with transaction(self.world.sessionmaker) as db:
            return (await db.exec(select(col(Membership.role)).where(*conditions))).one_or_none()

    async def set_role(self, who: str, role: Role) -> None:
        """Store a role that a person has from now on."""
        of_person = f"group_id = {self.group.id} AND user_id = '{self.people[who].id}'"
        await self.world.sql(f"UPDATE membership SET role = '{role}' WHERE {of_person}")  # noqa: S608

    async def add_service_account(self, name: str) -> User:
        """Create a service account of the group."""
        headers = await self.world.sign_in(self.people["arthur"])
        path = f"/user-groups/{self.group.id}/service-accounts"
        created = await self.world.client.post(path, json={"name": name}, headers=headers)
        async with transaction(self.world.sessionmaker) as db:
            self.people[name] = await db.get_one(User, created.json()["id"])
        return self.people[name]


async def round_table(world: World, visibility: Visibility = Visibility.PRIVATE) -> RoundTable:
    """Store the group and the people."""
    people = {name: await world.user(name) for name in (*ROLES, "mordred")}
    members = {people[name]: role for name, role in ROLES.items()}
    return RoundTable(world, await world.group("Round Table", visibility, members=members), people)


def hrefs(page: Page) -> list[str]:
    """Return where the links below the header lead to."""
    return [each.attributes["href"] for each in page.find("a") if each.attributes["href"] != "#content"]


def names(page: Page) -> list[str]:
    """Return the names of the members that a page lists."""
    return [each.text for each in page.find("bdi")]


def badges(page: Page) -> list[str]:
    """Return what is marked in the table of a page."""
    return [each.text for each in page.find("span") if each.attributes.get("class", "").startswith("badge")][1:]


def cells(page: Page, label: str) -> list[str]:
    """Return a column of the table of a page."""
    return [each.text.strip() for each in page.find("td", data_label=label)]
