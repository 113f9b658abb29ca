"""Refusals that come before a route: browsers get a page that says what to do, and the API's clients get JSON."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import Response
from pydantic import SecretStr

from accounts.api.account_pages.messages import MESSAGES
from accounts.api.account_pages.results import DEAD_LINKS
from accounts.api.app import MAX_BODY_BYTES
from accounts.api.languages import COOKIE
from accounts.api.problems import STATUS
from accounts.db.engine import create_engine
from accounts.db.session import create_sessionmaker
from accounts.domain import errors
from accounts.domain.sessions.session_token import SessionToken
from accounts.translations import get_language
from support.account_pages import ARTHUR, enter, get, post
from support.html import Page
from support.operations import page_operations
from support.people import PASSWORD, World
from support.processes import SECRET

FORM = "application/x-www-form-urlencoded"
BROWSER = {"Accept": "text/html", "Accept-Language": "de", "Content-Type": FORM}
PAGES = list(page_operations())
FORMS = [each for each in PAGES if each.is_form]
LARGE = b"x" * (8 * 1024 * 1024)
# What comes before a route: its headers and content, the status, and whether only forms that FastAPI reads refuse it.
REFUSALS: dict[str, tuple[dict[str, str], bytes, int, bool]] = {
    "CROSS_SITE": ({"Sec-Fetch-Site": "cross-site"}, b"", 403, False),
    "HOST_NOT_ALLOWED": ({"Host": "evil.example"}, b"", 400, False),
    "CONTENT_TOO_LARGE": ({}, LARGE, 413, False),
    "UNSUPPORTED_MEDIA_TYPE": ({"Content-Type": "text/plain"}, b"x", 415, True),
    "BAD_REQUEST": ({}, b"\xff", 400, True),
}
# Codes of routes that have no page.
WITHOUT_PAGES = {
    errors.InvalidClient,
    errors.InvalidScope,
    errors.RefreshBadToken,
    errors.RefreshTokenReused,
    errors.ServiceAccountNotFound,
    errors.TooManyServiceAccounts,
    errors.SecretNotFound,
    errors.TooManySecrets,
}
REDIRECTED = {errors.MfaRequired, errors.ReauthenticationRequired}


@pytest.fixture
async def offline(world: World) -> AsyncIterator[World]:
    """A world whose database does not answer."""
    url = SecretStr("postgresql://accounts@127.0.0.1:1/accounts")
    engine = create_engine(world.state["settings"].model_copy(update={"database_url": url}), "test")
    world.state["reader"] = world.state["sessionmaker"] = create_sessionmaker(engine)
    yield world
    await engine.dispose()


def read(answer: Response, language: str = "de") -> Page:
    """Return the page of a problem, which is none of the fields of a form."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.url
    assert answer.headers["content-language"] == language
    return Page(answer.text)


@pytest.mark.parametrize("code", REFUSALS)
async def test_refusal_before_a_form_is_a_page_in_the_viewers_language(world: World, code: str) -> None:
    headers, content, status, only_forms = REFUSALS[code]
    for form in FORMS if only_forms else [each for each in PAGES if each.method == "post"]:
        answer = await world.client.post(form.url, content=content, headers=BROWSER | headers)
        if answer.status_code == 303 and only_forms:
            continue  # the user has to sign in first

        assert answer.status_code == status, form.url
        assert read(answer).one(role="status").text == _german(code)


@pytest.mark.parametrize("code", REFUSALS)
async def test_api_gets_problem_details_also_if_a_browser_asks(world: World, code: str) -> None:
    headers, content, status, _ = REFUSALS[code]
    cookie = {"Cookie": await enter_as_arthur(world)}

    answer = await world.client.post("/auth/cookie/login", content=content, headers=BROWSER | cookie | headers)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"] == code


def _german(code: str) -> str:
    return get_language("de").gettext(MESSAGES[code])


async def enter_as_arthur(world: World, **changes: Any) -> str:
    await world.user("arthur", **changes)
    return await enter(world)


@pytest.mark.parametrize("path", sorted({each.url for each in PAGES}))
async def test_method_that_a_page_lacks_is_a_page(world: World, path: str) -> None:
    answer = await world.client.put(path, headers=BROWSER)

    assert answer.status_code == 405
    read(answer)


@pytest.mark.parametrize(
    ("sent", "page"),
    [
        ("/account/profile", "/account/profile"),
        ("/account/sign-in?next=/groups", "/account/sign-in?next=%2Fgroups"),
        ("/account/sign-out", "/account"),
        ("/account/rename-passkey", "/account/passkeys"),
        ("/account/groups/1/invitations/5/revoke", "/account/groups/1/invitations"),
        ("/admin/mail/retry", "/admin/mail"),
    ],
)
async def test_refused_form_leads_to_its_page(world: World, sent: str, page: str) -> None:
    answer = await world.client.post(sent, headers=BROWSER | {"Sec-Fetch-Site": "cross-site"})

    shown = read(answer)
    assert [each.attributes["href"] for each in shown.find("a", class_="button")] == [page]
    assert shown.footer("input")[0].attributes["value"] == page


async def test_page_of_another_host_leads_nowhere(world: World) -> None:
    answer = await world.client.get("/account/sign-in", headers=BROWSER | {"Host": "evil.example"})

    shown = read(answer)
    assert answer.status_code == 400
    assert not shown.find("a", class_="button")
    assert "evil" not in answer.text


class TestLanguageOfTheUser:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/account/nothing-here", 404),
            ("GET", "/admin/nothing-here", 404),
            ("GET", "/admin", 404),
            ("GET", "/account/done/nothing", 404),
            ("PUT", "/account/profile", 405),
            ("GET", "/account/invitation?token=dead", 400),
        ],
    )
    async def test_problem_is_in_the_own_language_with_the_navigation(
        self, world: World, method: str, path: str, status: int
    ) -> None:
        cookie = await enter_as_arthur(world, language="de")
        headers = {"Accept-Language": "en", "Cookie": f"{cookie}; {COOKIE}=en"}

        answer = await world.client.request(method, path, headers=headers)

        assert answer.status_code == status
        assert read(answer).navigation()[-1].text == "Abmelden"

    async def test_refusal_of_a_middleware_is_in_the_own_language(self, world: World) -> None:
        cookie = await enter_as_arthur(world, language="de")
        headers = {"Accept-Language": "en", "Cookie": cookie, "Content-Type": FORM}

        answer = await world.client.post("/account/profile", content=b"x" * (MAX_BODY_BYTES + 1), headers=headers)

        assert answer.status_code == 413
        read(answer)

    @pytest.mark.parametrize("cookie", ["nonsense", f"{'A' * 43}", ""])
    async def test_without_a_session_it_is_the_browsers(self, world: World, cookie: str) -> None:
        headers = {"Accept-Language": "de", "Cookie": f"accounts={cookie}"}

        assert "<nav" not in (await world.client.get("/account/nothing-here", headers=headers)).text

    async def test_session_that_has_ended_gives_no_language(self, world: World) -> None:
        cookie = await enter_as_arthur(world, language="de")
        await world.sql("DELETE FROM user_session")

        answer = await world.client.get("/account/nothing-here", headers={"Cookie": cookie})

        read(answer, "en")

    async def test_without_a_database_it_is_the_browsers(self, offline: World) -> None:
        cookie = f"{COOKIE}=de; __Host-accounts={SessionToken.create(uuid.uuid4(), SECRET)}"

        missing = await offline.client.get("/account/nothing-here", headers={"Cookie": cookie})
        away = await offline.client.get("/account/reset-password?token=x", headers={"Cookie": cookie})

        assert (missing.status_code, away.status_code) == (404, 503)
        read(missing)
        assert read(away).one("a", class_="button").attributes["href"] == "/account/reset-password?token=x"
        assert away.headers["Retry-After"]


async def test_busy_server_is_a_page_that_leads_to_the_form(busy_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await busy_world.user("arthur")
    monkeypatch.setattr(busy_world.passwords.queue, "places", 0)

    answer = await post(busy_world, "/sign-in", username=ARTHUR, password=PASSWORD)

    assert answer.status_code == 503
    assert read(answer, "en").one("a", class_="button").attributes["href"] == "/account/sign-in"


async def test_too_many_attempts_at_a_page_are_a_page(world: World) -> None:
    world.change_settings(throttle_scale=1)
    answers = [await post(world, "/request-verify", await enter_as_arthur(world))]
    cookie = answers[0].request.headers["cookie"]
    while answers[-1].status_code == 303:
        answers.append(await post(world, "/request-verify", cookie))

    assert answers[-1].status_code == 429
    assert "Too many attempts." in read(answers[-1], "en").one(role="status").text


async def test_invalid_request_without_a_form_mentions_no_fields(world: World) -> None:
    answers = [await get(world, "/sign-in?next=https://evil.example"), await post(world, "/language", language="xx")]

    assert [each.status_code for each in answers] == [422, 422]
    for answer in answers:
        assert read(answer, "en").one(role="status").text == MESSAGES["INVALID_VALUE"]


def test_every_refusal_has_a_text() -> None:
    silent = {each for each in STATUS if each.code not in MESSAGES and each.code not in DEAD_LINKS}

    assert silent == WITHOUT_PAGES | REDIRECTED
