"""Download of one's data, and deletion of the account."""

import pytest

from accounts.models import Role, User
from support.account_pages import ARTHUR, alert, cookie_after, done_cookie, enter, get, post
from support.html import Page
from support.people import PASSWORD, World

OLD_SIGN_IN = "UPDATE user_session SET authenticated_at = '2020-01-01Z'"
CONFIRM = "/account/confirm?next=%2Fdelete-account"


async def is_stored(world: World) -> bool:
    return (await world.login(ARTHUR)).status_code == 200


@pytest.fixture
async def arthur(world: World) -> User:
    return await world.user("arthur")


class TestDownload:
    async def test_file_has_what_the_api_exports(self, world: World, arthur: User) -> None:
        cookie = await enter(world)

        page = Page((await get(world, "/data", cookie)).text)
        path = page.one("a", download="personal-data.json").attributes["href"]
        downloaded = await world.client.get(path, headers={"Cookie": cookie})
        exported = await world.client.get("/users/me/export", headers={"Cookie": cookie})

        assert downloaded.headers["content-disposition"] == 'attachment; filename="personal-data.json"'
        assert downloaded.headers["cache-control"] == "no-store"
        assert downloaded.json()["user"]["id"] == str(arthur.id)
        assert downloaded.json().keys() == exported.json().keys()

    async def test_signed_out_user_signs_in_first(self, world: World) -> None:
        for path in ("/data", "/data/download", "/delete-account"):
            assert (await get(world, path)).headers["location"].startswith("/account/sign-in?next=")
        assert (await post(world, "/delete-account", confirm="true")).headers["location"] == "/account/sign-in"

    @pytest.mark.usefixtures("arthur")
    async def test_too_many_downloads_are_a_page(self, world: World) -> None:
        cookie = await enter(world)
        world.change_settings(throttle_scale=0.05)

        answers = [await get(world, "/data/download", cookie) for _ in range(3)]

        assert answers[-1].status_code == 429
        assert "Too many attempts" in Page(answers[-1].text).one("h1").text


@pytest.mark.usefixtures("arthur")
class TestDeletion:
    async def test_page_says_what_happens_and_the_button_does_it(self, world: World) -> None:
        cookie = await enter(world)

        page = Page((await get(world, "/delete-account", cookie)).text)
        shown = page.one("h1").text, page.one("button").text, page.one("button").attributes["class"]
        deleted = await post(world, "/delete-account", cookie, confirm="true")

        assert shown == (f"Delete the account {ARTHUR}?", "Delete your account for good", "danger")
        assert deleted.headers["location"] == "/account/done/account-deleted"
        assert "Max-Age=0" in deleted.headers.get_list("set-cookie")[0]
        assert "Your account has been deleted" in (await get(world, "/done/account-deleted", done_cookie(deleted))).text
        assert not await is_stored(world)
        assert (await get(world, "", cookie)).headers["location"] == "/account/sign-in"

    async def test_get_changes_nothing(self, world: World) -> None:
        cookie = await enter(world)
        for path in ("/data", "/delete-account"):
            await get(world, path, cookie)

        assert await is_stored(world)

    async def test_empty_form_deletes_nothing(self, world: World) -> None:
        assert (await post(world, "/delete-account", await enter(world))).status_code == 422
        assert await is_stored(world)

    async def test_user_confirms_first_and_comes_back(self, world: World) -> None:
        cookie = await enter(world)
        await world.sql(OLD_SIGN_IN)

        asked, sent = (
            await get(world, "/delete-account", cookie),
            await post(world, "/delete-account", cookie, confirm="true"),
        )
        confirmed = await post(world, "/confirm", cookie, current_password=PASSWORD, next="/delete-account")

        assert [each.headers["location"] for each in (asked, sent)] == [CONFIRM, CONFIRM]
        assert await is_stored(world)
        assert confirmed.headers["location"] == "/account/delete-account"
        assert (await post(world, "/delete-account", cookie_after(confirmed), confirm="true")).status_code == 303
        assert not await is_stored(world)

    async def test_form_of_another_site_is_refused(self, world: World) -> None:
        headers = {"Cookie": await enter(world), "Sec-Fetch-Site": "cross-site"}

        answer = await world.client.post("/account/delete-account", data={"confirm": "true"}, headers=headers)

        assert answer.status_code == 403
        assert await is_stored(world)


class TestObstacles:
    async def test_groups_without_another_owner_are_listed_and_keep_the_account(
        self, world: World, arthur: User
    ) -> None:
        kay = await world.user("kay")
        mine = await world.group("<b>Round</b> Table \u202e", members={arthur: Role.OWNER, kay: Role.ADMIN})
        shared = await world.group("Camelot", members={arthur: Role.OWNER, kay: Role.OWNER})
        cookie = await enter(world)
        await world.sql(OLD_SIGN_IN)

        page = Page((await get(world, "/delete-account", cookie)).text)

        assert page.one("a", href=f"/account/groups/{mine.id}").text == "<b>Round</b> Table \u202e"
        assert page.find("a", href=f"/account/groups/{shared.id}") == []
        assert page.find("button") == []
        assert "only active owner" in page.one(class_="notice").text

    async def test_refusal_shows_the_groups_again(self, world: World, arthur: User) -> None:
        group = await world.group("Round Table", members={arthur: Role.OWNER})

        refused = await post(world, "/delete-account", await enter(world), confirm="true")

        assert refused.status_code == 409
        assert "A group needs an active owner." in alert(refused)
        assert Page(refused.text).one("a", href=f"/account/groups/{group.id}")
        assert await is_stored(world)

    async def test_last_superuser_stays(self, world: World) -> None:
        await world.user("morgana", superuser=True)
        cookie = await enter(world, "morgana@camelot.example.com")

        page, refused = (
            Page((await get(world, "/delete-account", cookie)).text),
            await post(world, "/delete-account", cookie, confirm="true"),
        )

        assert "last active superuser" in page.one(class_="notice").text
        assert (page.find("button"), refused.status_code) == ([], 409)

    async def test_one_of_two_superusers_can_leave(self, world: World) -> None:
        for name in ("morgana", "mordred"):
            await world.user(name, superuser=True)

        cookie = await enter(world, "morgana@camelot.example.com")

        assert Page((await get(world, "/delete-account", cookie)).text).one("button")

    @pytest.mark.usefixtures("arthur")
    async def test_change_of_address_that_can_be_undone_keeps_the_account(self, world: World) -> None:
        await post(world, "/change-email", await enter(world), email="rex@camelot.example.com")
        await post(world, "/confirm-email", token=await world.token())
        cookie = await enter(world, "rex@camelot.example.com")

        page, refused = (
            Page((await get(world, "/delete-account", cookie)).text),
            await post(world, "/delete-account", cookie, confirm="true"),
        )

        assert "can be undone from the previous address until" in page.one(class_="notice").text
        assert refused.status_code == 409
        assert "can still be undone" in alert(refused)
