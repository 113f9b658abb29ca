"""The administration of groups: search, people, a new owner, and deletion."""

from datetime import timedelta

import pytest
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.models import AuditEvent, Invitation, Membership, Role, User, UserGroup, Visibility
from support.account_pages import alert
from support.administration import HOSTILE, Admin, enter_admin, hidden_from_others, rows
from support.html import Page
from support.people import World

PATHS = ["/groups", "/groups/{id}", "/groups/{id}/owner", "/groups/{id}/delete"]


class Table:
    """The group of Arthur, with Kay and Bors; and Lancelot, who is in no group."""

    def __init__(self, admin: Admin, group: UserGroup, people: dict[str, User]) -> None:
        self.admin, self.world, self.group, self.people = admin, admin.world, group, people
        self.path = f"/groups/{group.id}"

    async def role_of(self, name: str) -> str | None:
        async with transaction(self.world.sessionmaker) as db:
            membership = await db.get(Membership, (self.group.id, self.people[name].id))
            return membership.role if membership else None

    async def recorded(self) -> list[tuple[str, object]]:
        async with transaction(self.world.sessionmaker) as db:
            ids = col(AuditEvent.group_id) == self.group.id
            events = (await db.exec(select(AuditEvent).where(ids).order_by(col(AuditEvent.id)))).all()
            return [(event.action, event.actor_id) for event in events]


@pytest.fixture
async def admin(world: World) -> Admin:
    return await enter_admin(world)


@pytest.fixture
async def table(admin: Admin) -> Table:
    people = {name: await admin.world.user(name) for name in ("arthur", "kay", "bors", "lancelot")}
    roles = {people["arthur"]: Role.OWNER, people["kay"]: Role.ADMIN, people["bors"]: Role.MEMBER}
    return Table(admin, await admin.world.group("Round Table", members=roles), people)


class TestList:
    async def test_groups_are_listed_by_name_with_visibility_and_number_of_members(self, table: Table) -> None:
        await table.world.group("Avalon", Visibility.PRIVATE)
        await table.world.require_second_factor(table.group)

        page = await table.admin.page("/groups")

        assert rows(page) == ["Avalon Private 0", "Round Table Second factor required Public 3"]
        assert page.one("a", href=f"/admin{table.path}")

    async def test_search_finds_the_beginning_of_names_and_a_visibility(self, table: Table) -> None:
        await table.world.group("Avalon", Visibility.PRIVATE)

        assert [rows(await table.admin.page("/groups", q="ro", visibility=""))] == [["Round Table Public 3"]]
        assert rows(await table.admin.page("/groups", q="", visibility="private")) == ["Avalon Private 0"]

    async def test_further_pages_keep_the_search(self, table: Table) -> None:
        await table.world.group("Round Tower")

        first = await table.admin.page("/groups", q="round", visibility="public", limit=1)
        [more] = [each.attributes["href"] for each in first.find("a") if each.text == "More groups"]
        second = await table.admin.page(more.removeprefix("/admin"))

        assert rows(second) == ["Round Tower Public 0"]
        assert second.one("input", id="q").attributes["value"] == "round"
        assert second.one("option", selected="").attributes["value"] == "public"

    async def test_empty_lists_say_what_to_do(self, admin: Admin) -> None:
        assert "There are no groups yet." in (await admin.page("/groups")).html
        page = await admin.page("/groups", q="x")
        assert page.one("a", href="/admin/groups", class_="button quiet").text == "Show all groups"

    async def test_number_of_statements_does_not_depend_on_the_groups(self, table: Table) -> None:
        few = await table.admin.statements("/groups")
        for number in range(5):
            await table.world.group(f"Group {number}")

        assert await table.admin.statements("/groups") == few


class TestGroup:
    async def test_page_names_owners_admins_and_members(self, table: Table) -> None:
        page = await table.admin.page(table.path)

        assert [each.text.strip() for each in page.find("ul", class_="people")] == [
            "Arthur arthur@camelot.example.com ·Change",
            "Kay kay@camelot.example.com ·Change",
        ]
        assert [row.split()[:3] for row in rows(page)] == [
            ["Arthur", "arthur@camelot.example.com", "Owner"],
            ["Kay", "kay@camelot.example.com", "Admin"],
            ["Bors", "bors@camelot.example.com", "Member"],
        ]
        assert page.find("a", href=f"/admin/users/{table.people['arthur'].id}")

    async def test_deactivated_owners_and_members_are_marked(self, table: Table) -> None:
        await table.world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'arthur%'")

        page = await table.admin.page(table.path)

        assert "Deactivated" in page.find("ul", class_="people")[0].text
        assert ["Deactivated" in row for row in rows(page)] == [True, False, False]

    async def test_it_leads_to_the_pages_that_change_roles_and_invitations(self, table: Table) -> None:
        page, group = await table.admin.page(table.path), f"/account/groups/{table.group.id}"
        kay = table.people["kay"].id

        for path in (group, f"{group}/invitations", f"{group}/members/{kay}"):
            assert page.find("a", href=path)
            assert (await table.admin.get(f"/..{path}")).status_code == 200

    async def test_page_shows_the_settings_in_words(self, table: Table) -> None:
        await table.world.sql("UPDATE user_group SET description = 'Knights', visibility = 'private'")

        facts = (await table.admin.page(table.path)).one("dl", class_="facts").text

        assert "Private: only members see the group" in facts
        assert "Not required" in facts
        assert "Members3" in facts

    async def test_second_factor_is_shown_to_a_superuser_who_used_one(self, table: Table) -> None:
        await table.world.require_second_factor(table.group)
        refused = await table.admin.get(table.path)
        await table.world.raise_level(table.admin.user)

        assert refused.status_code == 403
        assert "This needs a second factor." in refused.text
        assert "Required of all members" in (await table.admin.page(table.path)).html

    async def test_open_invitations_are_counted(self, table: Table) -> None:
        async with transaction(table.world.sessionmaker) as db:
            for number in range(3):
                expires_at = table.group.created_at + timedelta(days=number)
                email, digest = f"k{number}@x.org", bytes([number] * 32)
                db.add(Invitation(group_id=table.group.id, email=email, token_hash=digest, expires_at=expires_at))

        assert "Open invitations2" in (await table.admin.page(table.path)).one("dl", class_="facts").text

    async def test_members_go_on_on_further_pages(self, table: Table) -> None:
        first = await table.admin.page(table.path, limit=2)
        [more] = [each.attributes["href"] for each in first.find("a") if each.text == "More members"]

        assert [row.split()[0] for row in rows(await table.admin.page(more.removeprefix("/admin")))] == ["Bors"]

    async def test_group_without_people_leads_to_a_new_owner(self, admin: Admin) -> None:
        group = await admin.world.group("Avalon")

        page = await admin.page(f"/groups/{group.id}")

        assert "No user owns this group." in page.html
        assert "This group has no members." in page.html
        assert len(page.find("a", href=f"/admin/groups/{group.id}/owner")) == 2

    async def test_number_of_statements_does_not_depend_on_the_members(self, table: Table) -> None:
        few = await table.admin.statements(table.path)
        for number in range(5):
            await table.world.join(table.group.id, await table.world.user(f"knight-{number}"), Role.ADMIN)

        assert await table.admin.statements(table.path) == few

    async def test_hostile_names_are_inert(self, table: Table) -> None:
        async with transaction(table.world.sessionmaker) as db:
            (await db.get_one(User, table.people["arthur"].id)).display_name = HOSTILE
            group = await db.get_one(UserGroup, table.group.id)
            group.name, group.description = HOSTILE, HOSTILE

        for path in (path.format(id=table.group.id) for path in PATHS):
            page = await table.admin.page(path)
            assert not page.find("script")
            assert "alert(1)" in page.html

    async def test_unknown_group_does_not_exist(self, admin: Admin) -> None:
        for path in PATHS[1:]:
            assert (await admin.get(path.format(id=7))).status_code == 404


class TestNewOwner:
    @pytest.mark.parametrize("name", ["lancelot", "bors", "kay"])
    async def test_user_becomes_an_owner_as_a_member_or_a_new_one(self, table: Table, name: str) -> None:
        email = f"{name.title()}@camelot.example.com"
        answer = await table.admin.post(f"{table.path}/owner", email=email)
        page = await table.admin.follow(answer)

        assert page.one("p", role="status").text == "The user is now an owner of the group."
        assert (await table.role_of(name), await table.role_of("arthur")) == ("owner", "owner")
        [(action, actor)] = await table.recorded()
        assert action in {"membership.created", "membership.changed"}
        assert actor == table.admin.user.id

    async def test_user_who_cannot_own_the_group_is_refused_at_the_field(self, table: Table) -> None:
        await table.world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'kay%' OR email LIKE 'lance%'")
        faults = {}
        for name in ("oberon", "kay", "lancelot"):
            answer = await table.admin.post(f"{table.path}/owner", email=f"{name}@camelot.example.com")
            page = Page(answer.text)
            assert answer.status_code == 400
            assert page.one("input", id="email").attributes["value"] == f"{name}@camelot.example.com"
            faults[name] = page.one("p", class_="fault").text

        assert faults == {
            "oberon": "No active user has this email address.",
            "kay": "This user is deactivated, and can't own a group.",
            "lancelot": "No active user has this email address.",
        }
        assert await table.recorded() == []


class TestDeletion:
    async def test_page_says_what_is_deleted(self, table: Table) -> None:
        page = await table.admin.page(f"{table.path}/delete")

        assert page.one("h1").text == "Delete Round Table?"
        assert "for all 3 members" in page.html
        assert page.one("button", class_="danger").text == "Delete group"

    async def test_group_is_deleted_if_its_name_is_given(self, table: Table) -> None:
        answer = await table.admin.post(f"{table.path}/delete", name=" Round Table ")
        page = await table.admin.follow(answer)

        assert page.one("p", role="status").text == "The group was deleted."
        assert (await table.admin.get(table.path)).status_code == 404
        assert await table.recorded() == [("group.deleted", table.admin.user.id)]

    async def test_other_name_deletes_nothing(self, table: Table) -> None:
        answer = await table.admin.post(f"{table.path}/delete", name="Square Table")

        assert answer.status_code == 400
        assert alert(answer) == "Please check the fields marked below."
        assert Page(answer.text).one("p", class_="fault").text == "This isn't the name of the group."
        assert (await table.admin.get(table.path)).status_code == 200


@pytest.mark.parametrize("path", [*PATHS, "/groups/1/owner POST", "/groups/1/delete POST"])
async def test_pages_do_not_exist_for_others(world: World, path: str) -> None:
    address, _, method = path.format(id=1).partition(" ")

    await hidden_from_others(world, method or "GET", address)


@pytest.mark.parametrize("action", ["owner", "delete"])
async def test_form_of_another_site_is_refused(table: Table, action: str) -> None:
    form = {"email": "kay@camelot.example.com", "name": "Round Table"}
    headers = {"Cookie": table.admin.cookie, "Sec-Fetch-Site": "cross-site"}

    answer = await table.world.client.post(f"/admin{table.path}/{action}", data=form, headers=headers)

    assert answer.status_code == 403
    assert "This form was sent from another site." in Page(answer.text).one(role="status").text
    assert await table.recorded() == []


async def test_superuser_who_loses_the_right_is_refused_at_the_next_click(table: Table) -> None:
    await table.world.sql("UPDATE \"user\" SET is_superuser = false WHERE email LIKE 'morgana%'")

    assert (await table.admin.post(f"{table.path}/delete", name="Round Table")).status_code == 404
    assert await table.recorded() == []
