"""Personal access tokens: list, create, and revoke."""

import pytest
from httpx2 import Response

from accounts.models import MailKind, Scope
from accounts.schemas.access_keys import PersonalAccessTokenCreate
from support.account_pages import alert, enter, get, message, post, what_was_done
from support.html import Page
from support.people import World
from support.second_factors import age

NEW = {"name": "nightly <b>report", "scopes": ["groups:read", "members:read"], "expires_in_days": 30}


async def create(world: World, cookie: str, **changes: object) -> Response:
    return await post(world, "/new-token", cookie, **NEW | changes)


@pytest.fixture
async def cookie(world: World) -> str:
    await world.user("arthur")
    return await enter(world)


def cells(answer: Response) -> dict[str, str]:
    return {each.attributes["data-label"]: each.text.strip() for each in Page(answer.text).find("td")}


class TestList:
    async def test_empty_list_offers_to_create_one(self, world: World, cookie: str) -> None:
        page = Page((await get(world, "/tokens", cookie)).text)

        assert page.one("div", class_="empty").text.startswith("You have no access tokens.")
        assert page.find("a", href="/account/new-token")

    async def test_shows_name_scopes_in_words_and_times_but_no_secret(self, world: World, cookie: str) -> None:
        secret = Page((await create(world, cookie)).text).one("code").text

        shown = await get(world, "/tokens", cookie)

        row = cells(shown)
        assert row["Name"] == "nightly <b>report"
        assert row["It may"] == (
            "Read your groupsRead the members and invitations of your groups, and your own invitations"
        )
        assert (row["Last used"], row["Expires"]) == ("Never", "in 1 month")
        assert secret not in shown.text
        assert secret[-20:] not in shown.text

    async def test_shows_when_and_from_where_it_was_last_used(self, world: World, cookie: str) -> None:
        secret = Page((await create(world, cookie)).text).one("code").text
        headers = {"Authorization": f"Bearer {secret}"}
        assert (await world.client_at("203.0.113.7").get("/users/me/groups", headers=headers)).status_code == 200

        assert "203.0.113.7" in cells(await get(world, "/tokens", cookie))["Last used"]

    async def test_expired_one_is_marked(self, world: World, cookie: str) -> None:
        await create(world, cookie)
        fresh = cells(await get(world, "/tokens", cookie))
        await world.sql("UPDATE access_key SET expires_at = now() - interval '1 day', last_used_at = now()")

        expired = cells(await get(world, "/tokens", cookie))

        assert "Expired" not in fresh["Name"]
        assert expired["Name"] == "nightly <b>report Expired"
        assert expired["Expires"] == "1 day ago"

    async def test_scope_that_has_no_words_yet_is_shown_as_it_is(self, world: World, cookie: str) -> None:
        await create(world, cookie)
        await world.sql("UPDATE access_key SET scopes = '{a:b}'")

        assert cells(await get(world, "/tokens", cookie))["It may"] == "a:b"


class TestCreate:
    async def test_secret_is_in_the_response_only_and_works(self, world: World, cookie: str) -> None:
        made = await create(world, cookie)

        page = Page(made.text)
        secret = page.one("code").text
        answer = await world.client.get("/users/me/groups", headers={"Authorization": f"Bearer {secret}"})
        assert (made.status_code, made.headers["cache-control"], answer.status_code) == (200, "no-store", 200)
        assert page.one("p", role="status").text.startswith("Copy the token now")
        assert "location" not in made.headers
        assert "set-cookie" not in made.headers
        assert secret not in (await get(world, "/new-token", cookie)).text
        assert [each.kind for each in await world.mails()] == [MailKind.TOKEN_CREATED]

    async def test_scopes_are_check_boxes_without_those_of_superusers(self, world: World, cookie: str) -> None:
        await world.user("merlin", superuser=True)
        merlin = await enter(world, "merlin@camelot.example.com")

        offered = [
            [
                each.attributes["value"]
                for each in Page((await get(world, "/new-token", one)).text).find(type="checkbox")
            ]
            for one in (cookie, merlin)
        ]

        every = [each for each in Scope if each not in {Scope.ACCOUNT, Scope.GROUPS}]
        assert offered == [[each for each in every if each != Scope.USERS_READ], every]

    async def test_every_scope_of_the_api_can_be_chosen(self, world: World) -> None:
        await world.user("merlin", superuser=True)
        cookie = await enter(world, "merlin@camelot.example.com")
        scopes = PersonalAccessTokenCreate.model_json_schema()["properties"]["scopes"]["items"]["enum"]

        page = Page((await get(world, "/new-token", cookie)).text)

        assert {each.attributes["value"] for each in page.find(type="checkbox")} == {*scopes}
        assert (await create(world, cookie, scopes=scopes)).status_code == 200

    async def test_scope_of_superusers_is_refused_to_others(self, world: World, cookie: str) -> None:
        refused = await create(world, cookie, scopes=["users:read"])

        assert (refused.status_code, alert(refused)) == (403, "Only superusers can create tokens that may do this.")

    async def test_refused_form_says_why_and_keeps_what_was_chosen(self, world: World, cookie: str) -> None:
        nameless = Page((await create(world, cookie, name="")).text)
        scopeless = Page((await create(world, cookie, scopes=[])).text)
        endless = Page((await create(world, cookie, expires_in_days=9999)).text)

        assert nameless.one(id="name-fault").text == "Please fill in this field."
        checked = [each.attributes["value"] for each in nameless.find(type="checkbox") if "checked" in each.attributes]
        assert checked == NEW["scopes"]
        assert [each.attributes["value"] for each in nameless.find("option") if "selected" in each.attributes] == ["30"]
        assert scopeless.one(id="scopes-fault").text == "Choose at least one."
        assert all("aria-invalid" in each.attributes for each in scopeless.find(type="checkbox"))
        assert scopeless.one("input", name="name").attributes["value"] == NEW["name"]
        assert endless.one(id="expires_in_days-fault").text == "This isn't valid."

    async def test_more_than_fifty_are_refused(self, world: World, cookie: str) -> None:
        await create(world, cookie)
        await world.sql(
            "INSERT INTO access_key (id, user_id, name, secret_hash, scopes, expires_at) SELECT gen_random_uuid(), "
            "user_id, name, 'x', scopes, expires_at FROM access_key, generate_series(1, 49)"
        )

        refused = await create(world, cookie)

        assert (refused.status_code, "Please revoke one first." in alert(refused)) == (409, True)

    async def test_old_sign_in_is_confirmed_first(self, world: World, cookie: str) -> None:
        await age(world)

        for asked in (await get(world, "/new-token", cookie), await create(world, cookie)):
            assert asked.headers["location"] == "/account/confirm?next=%2Fnew-token"
        assert "You have no access tokens." in (await get(world, "/tokens", cookie)).text


class TestRevoke:
    async def test_button_revokes_the_token_and_the_message_names_it(self, world: World, cookie: str) -> None:
        secret = Page((await create(world, cookie)).text).one("code").text
        button = Page((await get(world, "/tokens", cookie)).text).one("button")

        revoked = await post(world, "/tokens", cookie, token_id=button.attributes["value"])
        shown = await message(world, revoked, cookie)

        assert button.attributes["aria-label"] == "Revoke nightly <b>report"
        assert (revoked.headers["location"], what_was_done(revoked)) == ("/account/tokens", "token-revoked")
        assert shown == "You've revoked the access token nightly <b>report."
        answer = await world.client.get("/users/me/groups", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 401

    async def test_other_users_cannot_revoke_it(self, world: World, cookie: str) -> None:
        await create(world, cookie)
        button = Page((await get(world, "/tokens", cookie)).text).one("button")
        await world.user("mordred")

        refused = await post(
            world, "/tokens", await enter(world, "mordred@camelot.example.com"), token_id=button.attributes["value"]
        )

        assert (refused.status_code, "This access token has been revoked already." in refused.text) == (404, True)
        assert cells(await get(world, "/tokens", cookie))


async def test_signed_out_user_is_led_to_the_sign_in(world: World) -> None:
    answers = [await get(world, each) for each in ("/tokens", "/new-token")]

    assert [each.headers["location"] for each in answers] == [
        f"/account/sign-in?next=%2F{each}" for each in ("tokens", "new-token")
    ]
