"""The user's own groups: list, create, leave, and hand over."""

import pytest
from httpx2 import Response
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from accounts.models import MailKind, Role, User, UserGroup, Visibility
from support.account_pages import alert, enter, get, message, post, what_was_done
from support.html import Page
from support.people import World


class Table:
    """A private group with its owner Arthur, its admin Kay, its member Bors and Mordred, who is deactivated."""

    def __init__(self, world: World, group: UserGroup, users: dict[str, User]) -> None:
        self.world, self.group, self.users = world, group, users

    async def enter(self, name: str) -> str:
        return await enter(self.world, f"{name}@camelot.example.com")

    async def roles(self) -> dict[str, str]:
        headers = await self.world.sign_in(self.users["superuser"])
        answer = await self.world.client.get(f"/user-groups/{self.group.id}/users", headers=headers)
        return {each["email"].partition("@")[0]: each["role"] for each in answer.json()}

    async def get(self, page: str, cookie: str, query: str = "") -> Response:
        return await get(self.world, f"/groups/{self.group.id}/{page}{query}", cookie)

    async def post(self, page: str, cookie: str, **form: object) -> Response:
        return await post(self.world, f"/groups/{self.group.id}/{page}", cookie, **form)

    async def add_program(self) -> str:
        """Add a service account to the group, and return its id."""
        headers = await self.world.sign_in(self.users["arthur"])
        path = f"/user-groups/{self.group.id}/service-accounts"
        made = await self.world.client.post(path, json={"name": "Squire", "role": "member"}, headers=headers)
        return str(made.json()["id"])


@pytest.fixture
async def table(world: World) -> Table:
    names = {"arthur": Role.OWNER, "kay": Role.ADMIN, "bors": Role.MEMBER, "mordred": Role.MEMBER}
    users = {name: await world.user(name) for name in names}
    members = {users[name]: role for name, role in names.items()}
    group = await world.group("Round <Table> & Sons", Visibility.PRIVATE, members=members)
    await world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'mordred%'")
    users["superuser"] = await world.user("merlin", superuser=True)
    return Table(world, group, users)


def links(page: Page) -> dict[str, str]:
    return {
        each.attributes.get("aria-label", each.text): each.attributes["href"]
        for each in page.find("a")
        if "href" in each.attributes and not each.attributes["href"].startswith("#")
    }


class TestList:
    async def test_shows_role_and_number_of_members_and_what_the_role_may_do(self, table: Table) -> None:
        group, owner = f"/account/groups/{table.group.id}", await table.enter("arthur")
        shown = Page((await get(table.world, "/groups", owner)).text)
        as_member = Page((await get(table.world, "/groups", await table.enter("bors"))).text)

        assert [each.text for each in shown.find("td")][1:3] == ["Owner", "4"]
        assert [each.text for each in as_member.find("td")][1:3] == ["Member", "4"]
        assert links(shown) == {
            "Create a group": "/account/new-group",
            "Invitations": "/account/invitations",
            "Round <Table> & Sons": group,
            "Leave Round <Table> & Sons": f"{group}/leave",
            "Hand over Round <Table> & Sons": f"{group}/transfer",
        }
        assert "Hand over Round <Table> & Sons" not in links(as_member)

    async def test_empty_list_says_so_and_the_navigation_names_the_page(self, world: World) -> None:
        await world.user("arthur")

        page = Page((await get(world, "/groups", await enter(world))).text)

        assert page.one("div", class_="empty").text.strip() == "You aren't a member of any group."
        assert [each.text for each in page.navigation() if "aria-current" in each.attributes] == ["Groups"]

    async def test_long_list_goes_on_on_another_page(self, table: Table) -> None:
        await table.world.group("Camelot", members={table.users["bors"]: Role.MEMBER})
        cookie = await table.enter("bors")

        first = Page((await get(table.world, "/groups?limit=1", cookie)).text)
        more = first.one("a", class_="button quiet", href=links(first)["More"]).attributes["href"]
        second = Page((await get(table.world, more.removeprefix("/account"), cookie)).text)

        assert "Camelot" not in links(first)
        assert "Camelot" in links(second)

    @pytest.mark.parametrize("path", ["/groups", "/invitations", "/groups/{}/leave", "/groups/{}/transfer"])
    async def test_runs_as_many_statements_for_one_group_as_for_many(
        self, table: Table, engine: AsyncEngine, path: str
    ) -> None:
        cookie = await table.enter("arthur")
        run: list[str] = []
        note = lambda *args: run.append(args[2])  # noqa: E731  # to be removed again

        async def count() -> int:
            run.clear()
            event.listen(engine.sync_engine, "before_cursor_execute", note)
            answer = await get(table.world, path.format(table.group.id), cookie)
            event.remove(engine.sync_engine, "before_cursor_execute", note)
            assert answer.status_code == 200
            return len(run)

        counts = [await count()]
        for number in range(3):
            await table.world.join(table.group.id, await table.world.user(f"knight{number}"), Role.OWNER)
            await table.world.group(f"Group {number}", members={table.users["arthur"]: Role.OWNER})
        counts.append(await count())

        assert 0 < counts[0] == counts[1] <= 8


class TestCreate:
    async def test_creator_owns_the_new_group_and_is_led_to_it(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)

        made = await post(world, "/new-group", cookie, name="Grail", description="One\r\nTwo", visibility="public")
        api = await world.client.get("/users/me/groups", headers=await world.sign_in("arthur@camelot.example.com"))

        [group] = api.json()
        assert (made.headers["location"], what_was_done(made)) == (f"/account/groups/{group['id']}", "group-created")
        assert (group["name"], group["description"]) == ("Grail", "One\nTwo")
        assert (group["visibility"], group["my_role"]) == ("public", "owner")

    async def test_visibility_is_explained_and_private_at_first(self, world: World) -> None:
        await world.user("arthur")

        page = Page((await get(world, "/new-group", await enter(world))).text)

        [private, public] = page.find("input", type="radio")
        assert ("checked" in private.attributes, "checked" in public.attributes) == (True, False)
        assert page.one(id="visibility-private-hint").text == "Only members see the group and who is in it."
        assert "Everyone sees the group" in page.one(id="visibility-public-hint").text

    async def test_refused_form_says_why_at_the_field_and_keeps_what_was_entered(self, world: World) -> None:
        await world.user("arthur")
        await world.group("Round Table")
        cookie = await enter(world)
        form = {"description": "<b>Knights", "visibility": "public"}

        taken = await post(world, "/new-group", cookie, name="ROUND TABLE", **form)
        empty = await post(world, "/new-group", cookie, name="", **form)

        page = Page(taken.text)
        assert (taken.status_code, empty.status_code) == (409, 422)
        assert page.one(id="name-fault").text == "Another public group has this name. Choose a different one."
        assert Page(empty.text).one(id="name-fault").text == "Please fill in this field."
        assert page.one("input", name="name").attributes["value"] == "ROUND TABLE"
        assert page.one("textarea").text.strip() == "<b>Knights"
        assert "checked" in page.one("input", value="public").attributes


class TestLeave:
    async def test_page_says_what_happens_and_the_button_leaves(self, table: Table) -> None:
        cookie = await table.enter("bors")

        shown = await table.get("leave", cookie)
        left = await table.post("leave", cookie)

        page = Page(shown.text)
        assert page.one("h1").text == "Leave Round <Table> & Sons?"
        assert "You lose your role in the group: Member." in page.one("main").text
        assert "To come back, you need an invitation." in page.one("main").text
        assert page.one("button").text == "Leave group"
        assert (left.headers["location"], what_was_done(left)) == ("/account/groups", "group-left")
        assert await message(table.world, left, cookie) == "You've left Round <Table> & Sons."
        assert "bors" not in await table.roles()

    async def test_looking_at_the_page_changes_nothing(self, table: Table) -> None:
        await table.get("leave", await table.enter("bors"))

        assert "bors" in await table.roles()

    async def test_of_a_public_group_the_page_says_what_is_still_seen(self, world: World) -> None:
        group = await world.group("Camelot", members={await world.user("arthur"): Role.MEMBER})

        page = Page((await get(world, f"/groups/{group.id}/leave", await enter(world))).text)

        assert "The group is public: you'll still see it" in page.one("main").text

    async def test_last_owner_is_asked_to_hand_over_first(self, table: Table) -> None:
        await table.world.join(table.group.id, await table.world.user("uther"), Role.OWNER)
        await table.world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'uther%'")
        cookie = await table.enter("arthur")

        shown, refused = await table.get("leave", cookie), await table.post("leave", cookie)

        page = Page(shown.text)
        assert page.one("p", class_="notice").text.startswith("You're the only owner of this group.")
        assert page.find("form") == []
        assert links(page)["Hand over"] == f"/account/groups/{table.group.id}/transfer"
        assert refused.headers["location"] == f"/account/groups/{table.group.id}/leave"
        assert (await table.roles())["arthur"] == "owner"

    async def test_owner_leaves_while_another_one_remains(self, table: Table) -> None:
        await table.world.join(table.group.id, await table.world.user("uther"), Role.OWNER)

        left = await table.post("leave", await table.enter("arthur"))

        assert (left.headers["location"], what_was_done(left)) == ("/account/groups", "group-left")
        assert "arthur" not in await table.roles()

    async def test_users_who_are_no_members_get_404(self, table: Table) -> None:
        public = await table.world.group("Camelot")
        for name, group in (("superuser", table.group), ("superuser", public), ("gawain", table.group)):
            if name == "gawain":
                await table.world.user("gawain")
            cookie = await table.enter("merlin" if name == "superuser" else name)
            for method in (get, post):
                answer = await method(table.world, f"/groups/{group.id}/leave", cookie)
                assert (answer.status_code, Page(answer.text).one("h1").text) == (404, "Not found")


class TestTransfer:
    async def test_owner_chooses_a_member_and_becomes_an_admin(self, table: Table) -> None:
        cookie = await table.enter("arthur")
        kay = str(table.users["kay"].id)

        page = Page((await table.get("transfer", cookie)).text)
        done = await table.post("transfer", cookie, member=kay, member_email="")

        assert page.one("h1").text == "Hand over Round <Table> & Sons"
        assert "You become an admin" in page.one("main").text
        assert page.one(id=f"member-{kay}-hint").text == "kay@camelot.example.com · Admin"
        assert (done.headers["location"], what_was_done(done)) == (
            f"/account/groups/{table.group.id}",
            "group-handed-over",
        )
        assert await message(table.world, done, cookie) == "You've handed over Round <Table> & Sons."
        assert await table.roles() == {"arthur": "admin", "kay": "owner", "bors": "member", "mordred": "member"}
        assert [each.email for each in await table.world.mails(MailKind.ROLE_CHANGED)] == ["kay@camelot.example.com"]

    async def test_offers_only_active_people_other_than_oneself(self, table: Table) -> None:
        await table.add_program()

        page = Page((await table.get("transfer", await table.enter("arthur"))).text)

        offered = [str(table.users[name].id) for name in ("kay", "bors")]
        assert [each.attributes["value"] for each in page.find("input", type="radio")] == offered

    async def test_member_by_email_address_becomes_an_owner_ignoring_case(self, table: Table) -> None:
        done = await table.post("transfer", await table.enter("arthur"), member_email="BORS@camelot.example.com")

        assert done.status_code == 303
        assert (await table.roles())["bors"] == "owner"

    @pytest.mark.parametrize(
        ("email", "fault"),
        [
            ("gawain@camelot.example.com", "This isn't the email address of a member of the group."),
            ("no <address>", "This isn't the email address of a member of the group."),
            ("mordred@camelot.example.com", "This account is deactivated, and can't own a group."),
            ("", "Choose a member, or enter the email address of one."),
        ],
    )
    async def test_refused_successor_is_explained_at_the_field(self, table: Table, email: str, fault: str) -> None:
        await table.world.user("gawain")

        refused = await table.post("transfer", await table.enter("arthur"), member_email=email)

        page = Page(refused.text)
        assert (refused.status_code, alert(refused)) == (422, fault)
        assert page.one(id="member_email-fault").text == fault
        assert page.one("input", name="member_email").attributes["value"] == email
        assert len(page.find("input", type="radio")) == 2
        assert (await table.roles())["arthur"] == "owner"

    async def test_chosen_member_who_left_meanwhile_or_is_a_program_is_refused(self, table: Table) -> None:
        cookie, bors = await table.enter("arthur"), str(table.users["bors"].id)

        program = await table.post("transfer", cookie, member=await table.add_program())
        await table.world.sql("DELETE FROM membership USING \"user\" WHERE user_id = id AND email LIKE 'bors%'")
        gone = await table.post("transfer", cookie, member=bors)

        assert Page(program.text).one(id="member-fault").text == "A program can't own a group."
        assert gone.status_code == 422
        assert "aria-invalid" in Page(gone.text).find("input", type="radio")[0].attributes

    async def test_others_are_refused(self, table: Table) -> None:
        kay = str(table.users["kay"].id)
        await table.world.user("gawain")
        for name, status in (("kay", 403), ("bors", 403), ("gawain", 404)):
            cookie = await table.enter(name)
            answers = [
                await table.get("transfer", cookie),
                await table.post("transfer", cookie, member=kay),
                await table.post("transfer", cookie, member_email="kay@camelot.example.com"),
            ]
            assert [each.status_code for each in answers] == [status] * 3

    async def test_superuser_hands_over_without_a_role_of_their_own(self, table: Table) -> None:
        cookie = await table.enter("merlin")

        shown = await table.get("transfer", cookie)
        await table.post("transfer", cookie, member_email="kay@camelot.example.com")

        assert "your own role doesn't change" in shown.text
        assert (await table.roles())["kay"] == (await table.roles())["arthur"] == "owner"

    async def test_owner_without_other_members_is_asked_to_invite_someone(self, world: World) -> None:
        group = await world.group("Camelot", members={await world.user("arthur"): Role.OWNER})

        page = Page((await get(world, f"/groups/{group.id}/transfer", await enter(world))).text)

        assert page.find("form") == []
        assert page.one("div", class_="empty").text.startswith("The group has no other members who could own it.")

    async def test_many_members_are_on_further_pages(self, table: Table) -> None:
        cookie = await table.enter("arthur")

        first = Page((await table.get("transfer", cookie, "?limit=1")).text)
        more = links(first)["More"]
        second = Page((await get(table.world, more.removeprefix("/account"), cookie)).text)

        shown = [page.one("input", type="radio").attributes["value"] for page in (first, second)]
        assert shown == [str(table.users[name].id) for name in ("kay", "bors")]

    async def test_group_that_requires_a_second_factor_asks_for_it(self, table: Table) -> None:
        await table.world.require_second_factor(table.group)

        refused = await table.get("transfer", await table.enter("arthur"))

        assert (refused.status_code, "This needs a second factor." in refused.text) == (403, True)


async def test_names_of_members_are_inert(world: World) -> None:
    bors = await world.user("bors", display_name="<script>alert(1)</script> \"'")
    group = await world.group("<script>", members={await world.user("arthur"): Role.OWNER, bors: Role.MEMBER})
    cookie = await enter(world)

    for path in ("/groups", f"/groups/{group.id}/leave", f"/groups/{group.id}/transfer"):
        assert "<script" not in (await get(world, path, cookie)).text


async def test_signed_out_user_is_led_to_the_sign_in(table: Table) -> None:
    answers = [await get(table.world, each) for each in ("/groups", "/new-group")]
    answers += [await table.get(each, "") for each in ("leave", "transfer")]

    assert [each.status_code for each in answers] == [303] * 4
    assert answers[2].headers["location"] == f"/account/sign-in?next=%2Fgroups%2F{table.group.id}%2Fleave"
