"""The pages, as a browser asks for them: a GET does nothing, a POST does what the API does, and says it in words."""

import re
from typing import Any

import pytest
from httpx2 import Response

from accounts.models import MailKind, Role, Visibility
from support.people import PASSWORD, World

ARTHUR = "arthur@camelot.example.com"
NEW = "rex@camelot.example.com"
NEW_PASSWORD = "lancelot-and-elaine"
LINKED = ["verify", "confirm-email", "undo-email", "reset-password", "invitation"]


async def get(world: World, path: str, cookie: str = "") -> Response:
    return await world.client.get(f"/account{path}", headers={"Cookie": cookie} if cookie else {})


async def post(world: World, path: str, cookie: str = "", **form: Any) -> Response:
    return await world.client.post(f"/account{path}", data=form, headers={"Cookie": cookie} if cookie else {})


async def enter(world: World, email: str = ARTHUR, password: str = PASSWORD) -> str:
    answer = await post(world, "/sign-in", username=email, password=password)
    assert answer.status_code == 303, answer.text
    cookie: str = answer.headers["set-cookie"].partition(";")[0]
    return cookie


def alert(answer: Response) -> str:
    found = re.search(r'role="alert".*?<p>(.*?)</p>', answer.text, re.DOTALL)
    return found[1] if found else ""


class TestSigningIn:
    async def test_sets_the_cookie_and_shows_the_account(self, world: World) -> None:
        await world.user("arthur")

        answer = await post(world, "/sign-in", username=ARTHUR, password=PASSWORD)
        shown = await get(world, "", answer.headers["set-cookie"].partition(";")[0])

        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert ARTHUR in shown.text

    async def test_says_in_words_that_it_was_refused_and_keeps_the_address(self, world: World) -> None:
        answer = await post(world, "/sign-in", username=ARTHUR, password="not-the-password")

        assert (answer.status_code, alert(answer)) == (400, "The e-mail address or the password is wrong.")
        assert f'value="{ARTHUR}"' in answer.text
        assert "not-the-password" not in answer.text
        assert "<title>Error: Sign in" in answer.text

    async def test_is_not_asked_of_who_is_signed_in(self, world: World) -> None:
        await world.user("arthur")

        answer = await get(world, "/sign-in", await enter(world))

        assert (answer.status_code, answer.headers["location"]) == (303, "/account")

    @pytest.mark.parametrize("path", ["", "/sessions"])
    async def test_comes_first(self, world: World, path: str) -> None:
        answer = await get(world, path)

        assert (answer.status_code, answer.headers["location"]) == (303, "/account/sign-in")

    async def test_is_limited_like_the_apis(self, world: World) -> None:
        world.state["settings"] = world.state["settings"].model_copy(update={"throttle_scale": 1})

        answers = [await post(world, "/sign-in", username=ARTHUR, password="wrong-password") for _ in range(6)]

        assert [each.status_code for each in answers] == [400] * 5 + [429]
        assert "too often" in alert(answers[-1])
        assert int(answers[-1].headers["retry-after"]) > 0

    async def test_ends(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)

        answer = await post(world, "/sign-out", cookie)

        assert answer.headers["location"] == "/account/done/signed-out"
        assert (await get(world, "", cookie)).status_code == 303

    async def test_ends_elsewhere_one_by_one_and_all_at_once(self, world: World) -> None:
        await world.user("arthur")
        here, *others = [await enter(world) for _ in range(4)]

        shown = await get(world, "/sessions", here)
        ids = re.findall(r'name="session" value="([0-9a-f-]{36})"', shown.text)
        await post(world, "/sessions", here, session=ids[0])
        one = sorted([(await get(world, "/sessions", each)).status_code for each in others])
        await post(world, "/sessions", here, others="true")

        assert len(ids) == 3
        assert one == [200, 200, 303]
        assert [(await get(world, "/sessions", each)).status_code for each in (here, *others)] == [200, 303, 303, 303]
        assert (await post(world, "/sessions", here)).status_code == 303


class TestSigningUp:
    async def test_shows_the_same_whoever_has_the_address(self, world: World) -> None:
        await world.user("arthur")

        answers = [await post(world, "/register", email=each, password=NEW_PASSWORD) for each in (ARTHUR, NEW)]

        assert [each.headers["location"] for each in answers] == ["/account/done/registered"] * 2
        assert [mail[:2] for mail in await world.mails()] == [
            (MailKind.ACCOUNT_EXISTS, ARTHUR), (MailKind.VERIFY, NEW),
        ]  # fmt: skip

    async def test_gives_the_reason_why_a_password_is_refused(self, world: World) -> None:
        answer = await post(world, "/register", email=ARTHUR, password="short", display_name="Arthur <b>")

        assert answer.status_code == 400
        assert "12 to 128 characters" in alert(answer)
        assert 'value="Arthur &lt;b&gt;"' in answer.text

    async def test_says_what_is_wrong_with_which_field(self, world: World) -> None:
        answer = await post(world, "/register", email="no address", password=NEW_PASSWORD)

        assert answer.status_code == 422
        assert re.search(r'id="email-fault">This is no e-mail address\.', answer.text)
        assert re.search(
            r'name="email"[^>]*aria-invalid="true"[^>]*aria-describedby="email-fault"', answer.text, re.DOTALL
        )


class TestLinks:
    @pytest.mark.parametrize("page", LINKED)
    async def test_do_nothing_when_they_are_followed(self, world: World, page: str) -> None:
        await world.user("arthur")
        await world.client.post("/auth/request-verify-token", json={"email": ARTHUR})
        token = await world.token()

        for method in ("GET", "HEAD"):
            answer = await world.client.request(method, f"/account/{page}?token={token}")
            assert answer.status_code == 200

        assert (await post(world, "/verify", token=token)).headers["location"] == "/account/done/verified"

    @pytest.mark.parametrize("page", LINKED)
    async def test_without_a_token_have_no_button(self, world: World, page: str) -> None:
        assert "<form" not in (await get(world, f"/{page}")).text

    async def test_of_a_new_address_and_back(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))
        await world.client.patch("/users/me", json={"email": NEW}, headers=headers)

        confirmed = await post(world, "/confirm-email", token=await world.token())
        undone = await post(world, "/undo-email", token=(await world.mails(MailKind.EMAIL_CHANGED))[0].token)

        assert confirmed.headers["location"] == "/account/done/email-confirmed"
        assert undone.headers["location"] == "/account/done/email-undone"
        assert (await world.login(ARTHUR)).status_code == 200

    async def test_set_a_new_password(self, world: World) -> None:
        await world.user("arthur")
        assert (await post(world, "/forgot-password", email=ARTHUR)).headers["location"] == "/account/done/sent"
        token = await world.token()

        weak = await post(world, "/reset-password", token=token, password="short")
        strong = await post(world, "/reset-password", token=token, password=NEW_PASSWORD)
        again = await post(world, "/reset-password", token=token, password=NEW_PASSWORD)

        assert [each.status_code for each in (weak, strong, again)] == [400, 303, 400]
        assert f'value="{token}"' in weak.text
        assert "used, or is too old" in alert(again)
        assert (await world.login(ARTHUR, NEW_PASSWORD)).status_code == 200

    async def test_of_a_verification_can_be_asked_for_once_more(self, world: World) -> None:
        await world.user("arthur")
        cookie = await enter(world)

        answer = await post(world, "/request-verify", cookie)

        assert answer.headers["location"] == "/account/done/sent"
        assert [mail[:2] for mail in await world.mails()] == [(MailKind.VERIFY, ARTHUR)]


class TestInvitations:
    @pytest.fixture
    async def token(self, world: World) -> str:
        guinevere = await world.user("guinevere")
        group = await world.group("Round Table", Visibility.PRIVATE, members={guinevere: Role.OWNER})
        headers = await world.sign_in(guinevere)
        await world.client.post(f"/user-groups/{group.id}/invitations", json={"email": ARTHUR}, headers=headers)
        return await world.token()

    async def groups(self, world: World) -> list[str]:
        answer = await world.client.get("/users/me/groups", headers=await world.sign_in(ARTHUR))
        return [each["group"]["name"] if "group" in each else each["name"] for each in answer.json()]

    async def test_are_kept_through_signing_in(self, world: World, token: str) -> None:
        await world.user("arthur")
        shown = await get(world, f"/invitation?token={token}")
        asked = await get(world, f"/sign-in?invitation={token}")
        entered = await post(world, "/sign-in", username=ARTHUR, password=PASSWORD, invitation=token)
        cookie = entered.headers["set-cookie"].partition(";")[0]

        assert f"/account/sign-in?invitation={token}" in shown.text
        assert f'name="invitation" value="{token}"' in asked.text
        assert entered.headers["location"] == f"/account/invitation?token={token}"
        assert "Join the group" in (await get(world, f"/invitation?token={token}", cookie)).text
        accepted = await post(world, "/invitation", cookie, token=token, answer="accept")
        assert accepted.headers["location"] == "/account/done/accepted"
        assert await self.groups(world) == ["Round Table"]

    async def test_make_an_account_that_belongs(self, world: World, token: str) -> None:
        answer = await post(world, "/register", email=ARTHUR, password=PASSWORD, invitation=token)

        assert answer.headers["location"] == "/account/done/joined"
        assert await self.groups(world) == ["Round Table"]

    async def test_are_declined_without_an_account(self, world: World, token: str) -> None:
        answer = await post(world, "/invitation", token=token, answer="decline")

        assert answer.headers["location"] == "/account/done/declined"
        assert (await post(world, "/register", email=ARTHUR, password=PASSWORD, invitation=token)).status_code == 400

    async def test_are_accepted_by_nobody_who_is_not_signed_in(self, world: World, token: str) -> None:
        answer = await post(world, "/invitation", token=token, answer="accept")

        assert answer.headers["location"] == f"/account/sign-in?invitation={token}"

    async def test_are_for_their_address_alone(self, world: World, token: str) -> None:
        await world.user("lancelot")

        answer = await post(
            world, "/invitation", await enter(world, "lancelot@camelot.example.com"), token=token, answer="accept"
        )

        assert answer.status_code == 403
        assert "another e-mail address" in alert(answer)
        assert "Join the group" in answer.text
        cookie = await enter(world, "lancelot@camelot.example.com")
        assert "Password" in (await get(world, f"/sign-in?invitation={token}", cookie)).text


class TestSafety:
    @pytest.mark.parametrize("path", ["/sign-in", "/nowhere", "/static/site.css"])
    async def test_nothing_comes_from_elsewhere_and_nothing_is_stored(self, world: World, path: str) -> None:
        answer = await get(world, path)

        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "script" not in policy
        assert answer.headers["referrer-policy"] in {"no-referrer", "strict-origin"}
        assert ("no-store" in answer.headers["cache-control"]) is (path != "/static/site.css")

    @pytest.mark.parametrize("path", ["/sign-in", "/verify", "/register", "/sign-out"])
    async def test_no_other_site_posts(self, world: World, path: str) -> None:
        answer = await world.client.post(f"/account{path}", headers={"Sec-Fetch-Site": "cross-site"})

        assert answer.status_code == 403

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [("GET", "/nowhere", 404), ("GET", "/done/what", 404), ("DELETE", "/sign-in", 405)],
    )
    async def test_errors_are_pages(self, world: World, method: str, path: str, status: int) -> None:
        answer = await world.client.request(method, f"/account{path}")

        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert "<h1>" in answer.text

    async def test_a_bug_is_a_page_and_tells_nothing(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(world.passwords, "verify", None)

        answer = await post(world, "/sign-in", username=ARTHUR, password=PASSWORD)

        assert (answer.status_code, "Nothing was changed." in answer.text) == (500, True)

    async def test_there_are_none_where_somebody_has_their_own(self, world: World) -> None:
        world.state["settings"] = world.state["settings"].model_copy(update={"pages_url": "https://app.example.com/me"})

        answers = [await get(world, path) for path in ("", "/sign-in", "/static/site.css")]

        assert [(each.status_code, each.json()["detail"]) for each in answers] == [(404, "NOT_FOUND")] * 3
