"""Pages of passkeys, as a browser without scripts sees them, and with what the script puts into their forms."""

import json
from html import unescape
from typing import Any

import pytest

from support.account_pages import alert, cookie_after, get, post
from support.authenticator import Authenticator
from support.html import Page
from support.passkeys import MINE, PasskeyUser, sign_in_options, with_passkey
from support.people import PASSWORD, World


async def cookie_of(world: World, person: PasskeyUser) -> str:
    passkey = person.key.get(await sign_in_options(world))
    answer = await post(world, "/sign-in/passkey", passkey=json.dumps(passkey))
    assert answer.headers["location"] == "/account"
    return str(answer.headers["set-cookie"].partition(";")[0])


async def options(world: World, cookie: str) -> dict[str, Any]:
    created: dict[str, Any] = (await world.client.post(f"{MINE}/options", headers={"Cookie": cookie})).json()
    return created


async def test_sign_in_with_a_passkey_continues_with_the_invitation(world: World) -> None:
    arthur = await with_passkey(world)
    passkey = arthur.key.get(await sign_in_options(world))

    answer = await post(world, "/sign-in/passkey", passkey=json.dumps(passkey), invitation="token")

    assert (answer.status_code, answer.headers["location"]) == (303, "/account/invitation?token=token")


@pytest.mark.parametrize("passkey", ["", "{}", '{"id": "AA"}'])
async def test_refused_passkey_shows_the_sign_in_page_with_a_message(world: World, passkey: str) -> None:
    answer = await post(world, "/sign-in/passkey", passkey=passkey)

    assert answer.status_code == 400
    assert alert(answer) == "The passkey wasn't accepted. Please try again."
    assert Page(answer.text).one("form", data_passkey="get")


async def test_passkeys_are_added_listed_renamed_and_removed(world: World) -> None:
    cookie = await cookie_of(world, await with_passkey(world, name="arthur"))
    created = Authenticator().create(await options(world, cookie))

    added = await post(world, "/passkeys", cookie, name="Tablet", passkey=json.dumps(created))
    cookie = cookie_after(added)
    listed = Page((await get(world, "/passkeys", cookie)).text)
    ids = [field.attributes["value"] for field in listed.find("button", name="passkey_id")]
    renamed = await post(world, "/rename-passkey", cookie, passkey_id=ids[1], name="Excalibur")
    removed = await post(world, "/remove-passkey", cookie, passkey_id=ids[0])
    after = Page((await get(world, "/passkeys", cookie)).text)

    assert [answer.headers["location"] for answer in (added, renamed, removed)] == 3 * ["/account/passkeys"]
    assert [element.text.strip() for element in listed.find("strong")] == ["Phone", "Tablet"]
    assert [element.text.strip() for element in after.find("strong")] == ["Excalibur"]
    accepted = json.loads(after.one("ul", class_="sessions").attributes["data-accepted"])
    assert accepted["allAcceptedCredentialIds"] == [created["id"]]


async def test_form_without_a_passkey_says_why_there_were_no_options(world: World) -> None:
    arthur = await with_passkey(world)
    cookie = await cookie_of(world, arthur)
    bad = await post(world, "/passkeys", cookie, name="Tablet")
    for number in range(19):
        assert (await arthur.add(Authenticator(), str(number))).status_code == 201
    full = await post(world, "/passkeys", cookie, name="Tablet")

    assert (bad.status_code, full.status_code) == (400, 409)
    assert "The passkey wasn't accepted" in unescape(bad.text)
    assert "You can't have more passkeys. Please remove one first." in unescape(full.text)


async def test_pages_without_tls_offer_no_passkeys(world: World) -> None:
    cookie = await cookie_of(world, await with_passkey(world))
    world.change_settings(public_url="http://accounts.example.com")

    sign_in, passkeys = await get(world, "/sign-in"), await get(world, "/passkeys", cookie)

    for page in (sign_in, passkeys):
        assert "passkey.js" not in page.text
        assert "script" not in page.headers["Content-Security-Policy"]
    assert "served over HTTPS" in passkeys.text
    assert (await world.client.get("/.well-known/passkey-endpoints")).status_code == 404


async def test_renaming_without_a_name_changes_nothing(world: World) -> None:
    arthur = await with_passkey(world)
    [passkey] = await arthur.passkeys()

    await post(world, "/rename-passkey", await cookie_of(world, arthur), passkey_id=passkey["id"])

    assert (await arthur.passkeys())[0]["name"] == "Phone"


@pytest.mark.parametrize(
    ("pages_url", "page"),
    [("", "http://localhost:8000/account/passkeys"), ("https://example.com/me", "https://example.com/me/passkeys")],
)
async def test_password_managers_find_the_page(world: World, pages_url: str, page: str) -> None:
    world.change_settings(pages_url=pages_url)

    answer = await world.client.get("/.well-known/passkey-endpoints")

    assert answer.json() == {"enroll": page, "manage": page}


async def test_script_is_served_as_a_script_that_is_cached_briefly(world: World) -> None:
    answer = await get(world, "/static/passkey.js")

    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Cache-Control"] == "max-age=300"
    assert len(answer.text.splitlines()) < 100


def cookies(answer: Any) -> str:
    return "; ".join(each.partition(";")[0] for each in answer.headers.get_list("set-cookie"))


async def test_passkey_finishes_the_sign_in_that_a_password_began(world: World) -> None:
    arthur = await with_passkey(world)
    began = await post(world, "/sign-in", username=arthur.user.email, password=PASSWORD)
    cookie = cookies(began)

    page = Page((await get(world, "/second-factor", cookie)).text)
    form = page.one("form", data_passkey="get").attributes
    begun = await world.client.post(form["data-options"], headers={"Cookie": cookie})
    done = await world.client.post(
        form["action"], data={"passkey": json.dumps(arthur.key.get(begun.json()))}, headers={"Cookie": cookie}
    )

    assert (done.status_code, done.headers["location"]) == (303, "/account")
    assert (await get(world, "", cookies(done))).status_code == 200


async def test_passkey_confirms_who_uses_the_session_before_a_removal(world: World) -> None:
    arthur = await with_passkey(world)
    cookie = await cookie_of(world, arthur)
    [passkey] = await arthur.passkeys()
    await world.sql("UPDATE user_session SET authenticated_at = now() - interval '601 seconds'")

    asked = await post(world, "/remove-passkey", cookie, passkey_id=passkey["id"])
    page = Page((await world.client.get(asked.headers["location"], headers={"Cookie": cookie})).text)
    form = page.one("form", data_passkey="get").attributes
    begun = await world.client.post(form["data-options"], headers={"Cookie": cookie})
    proof = {
        "passkey": json.dumps(arthur.key.get(begun.json())),
        "next": page.one("input", name="next").attributes["value"],
    }
    confirmed = await world.client.post(form["action"], data=proof, headers={"Cookie": cookie})
    cookie = cookie_after(confirmed)
    back = await world.client.get(confirmed.headers["location"], headers={"Cookie": cookie})

    assert asked.headers["location"] == "/account/confirm?next=%2Fremove-passkey"
    assert (back.status_code, back.headers["location"]) == (303, "/account/passkeys")
    removed = await post(world, "/remove-passkey", cookie, passkey_id=passkey["id"])
    assert removed.headers["location"] == "/account/passkeys"


@pytest.mark.parametrize("page", ["/second-factor", "/confirm"])
async def test_refused_second_factor_shows_the_form_again(world: World, page: str) -> None:
    arthur = await with_passkey(world)
    began = await post(world, "/sign-in", username=arthur.user.email, password=PASSWORD)
    cookie = f"{cookies(began)}; {await cookie_of(world, arthur)}"

    refused = await post(world, page, cookie, passkey="{}")

    assert refused.status_code == 400
    assert Page(refused.text).one("form", data_passkey="get")


async def test_user_with_a_passkey_is_offered_recovery_codes_once(world: World) -> None:
    arthur = await with_passkey(world)
    cookie = await cookie_of(world, arthur)

    offered = Page((await get(world, "/passkeys", cookie)).text)
    await post(world, "/recovery-codes", cookie)
    after = Page((await get(world, "/passkeys", cookie)).text)

    assert offered.find("a", href="/account/recovery-codes")
    assert after.find("a", href="/account/recovery-codes") == []
