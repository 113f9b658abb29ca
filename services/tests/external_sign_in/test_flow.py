"""Sign-in with a provider: the way there and back, and what has to be the same on both."""

import asyncio
import hashlib
from base64 import urlsafe_b64encode

import pytest
from sqlmodel import select

from accounts.models import PendingAuthorization, UserSession
from support.evil_provider import EvilProvider
from support.external_browser import CALLBACK, HTML, Browser, configure, query_of
from support.people import World

COOKIE = "__Host-accounts-oidc"


async def test_providers_are_listed_in_the_order_of_the_setting(visitor: Browser) -> None:
    response = await visitor.client.get("/auth/providers")

    assert response.json() == [{"name": "evil", "display_name": "Evil"}]


async def test_first_sign_in_creates_a_verified_account_without_a_password(
    visitor: Browser, provider: EvilProvider, world: World
) -> None:
    provider.claims |= {"name": "Lancelot"}

    response = await visitor.sign_in()

    assert response.status_code == 200, response.text
    assert response.headers["Cache-Control"] == "no-store"
    headers = {"Authorization": f"Bearer {response.json()['access_token']}"}
    account = (await visitor.client.get("/users/me", headers=headers)).json()
    assert (account["email"], account["display_name"], account["is_verified"]) == (
        "lancelot@example.com",
        "Lancelot",
        True,
    )
    assert (await world.login("lancelot@example.com", "!")).status_code == 400


async def test_second_sign_in_finds_the_account_whatever_the_address_is_now(
    visitor: Browser, provider: EvilProvider
) -> None:
    first = await visitor.account()
    provider.claims = {"email": "dulac@example.com", "email_verified": False}

    assert await visitor.account() == first


async def test_access_token_says_that_the_sign_in_was_federated(visitor: Browser, world: World) -> None:
    response = await visitor.sign_in(scope="groups")

    claims = world.state["keys"].verify(response.json()["access_token"])
    assert response.json()["scope"] == "account groups"
    async with world.sessionmaker() as db:
        session = (await db.exec(select(UserSession))).one()
    assert (session.aal, session.methods, claims.session_id) == (1, ["fed"], session.id)


async def test_url_of_the_provider_has_state_nonce_and_pkce_and_the_redirect_uri_of_public_url(
    visitor: Browser, world: World
) -> None:
    response = await visitor.client.get("/auth/evil/authorize", headers={"Host": "127.0.0.1"})

    query = query_of(response.json()["authorization_url"])
    assert query["redirect_uri"] == f"{world.state['settings'].public_url}{CALLBACK}"
    assert query["code_challenge_method"] == "S256"
    assert len(query["state"]) == len(query["nonce"]) == 43


async def test_cookie_is_kept_from_scripts_and_sent_when_the_provider_redirects(visitor: Browser) -> None:
    response = await visitor.client.get("/auth/evil/authorize")

    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert sorted(cookie.split("; ")[1:]) == ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax", "Secure"]


async def test_link_redirects_to_the_provider(visitor: Browser, provider: EvilProvider) -> None:
    response = await visitor.client.get("/auth/evil/authorize", params={"redirect": "true"})

    assert response.status_code == 303
    assert response.headers["Location"].startswith(f"{provider.issuer}/authorize?")
    assert COOKIE in response.headers["Set-Cookie"]


async def test_row_does_not_contain_what_completes_a_sign_in(visitor: Browser, world: World) -> None:
    response = await visitor.client.get("/auth/evil/authorize")

    query = query_of(response.json()["authorization_url"])
    async with world.sessionmaker() as db:
        row = (await db.exec(select(PendingAuthorization))).one()
    stored = str(row.model_dump())
    assert not any(secret in stored for secret in (query["state"], query["nonce"], visitor.client.cookies[COOKIE]))
    assert row.state_hash == hashlib.sha256(query["state"].encode()).digest()


async def test_verifier_is_not_derived_from_what_the_address_bar_shows(visitor: Browser) -> None:
    first = query_of((await visitor.client.get("/auth/evil/authorize")).json()["authorization_url"])
    second = query_of((await visitor.client.get("/auth/evil/authorize")).json()["authorization_url"])

    shown = {urlsafe_b64encode(hashlib.sha256(each.encode()).digest()).decode()[:43] for each in first.values()}
    assert first["code_challenge"] not in shown
    assert first["code_challenge"] != second["code_challenge"]


async def test_two_tabs_of_a_browser_can_sign_in_at_once(visitor: Browser) -> None:
    first, second = await visitor.leave(), await visitor.leave()

    assert [(await visitor.come_back(each)).status_code for each in (second, first)] == [200, 200]


class TestState:
    async def test_callback_in_another_browser_is_refused(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        """An attacker would sign the victim in to the attacker's account (CVE-2025-68481)."""
        parameters = await visitor.leave()
        victim = Browser(world, provider)

        without_cookie = await victim.come_back(parameters)
        await victim.leave()
        with_another = await victim.come_back(parameters)

        for response in (without_cookie, with_another):
            assert (response.status_code, response.json()["detail"]) == (400, "OAUTH_INVALID_STATE")
        assert (await visitor.come_back(parameters)).status_code == 200  # it was not used up

    async def test_state_works_once(self, visitor: Browser, provider: EvilProvider) -> None:
        parameters = await visitor.leave()
        assert (await visitor.come_back(parameters)).status_code == 200
        calls = len(provider.calls)

        again = await visitor.come_back(parameters)

        assert again.json()["detail"] == "OAUTH_INVALID_STATE"
        assert len(provider.calls) == calls

    async def test_state_is_used_up_by_a_response_that_proves_nothing(self, visitor: Browser) -> None:
        parameters = await visitor.leave()

        refused = await visitor.come_back(parameters | {"code": "forged"})

        assert refused.json()["detail"] == "OAUTH_INVALID_RESPONSE"
        assert (await visitor.come_back(parameters)).json()["detail"] == "OAUTH_INVALID_STATE"

    async def test_state_of_another_provider_is_refused(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        parameters = await visitor.leave()
        configure(world, provider, key="other")

        response = await visitor.client.get("/auth/other/callback", params=parameters)

        assert response.json()["detail"] == "OAUTH_INVALID_STATE"

    async def test_state_expires(self, visitor: Browser, world: World) -> None:
        parameters = await visitor.leave()
        await world.sql("UPDATE pending_authorization SET expires_at = now()")

        assert (await visitor.come_back(parameters)).json()["detail"] == "OAUTH_INVALID_STATE"

    async def test_sixteen_callbacks_at_once_start_one_session(self, busy_visitor: Browser, busy_world: World) -> None:
        parameters = await busy_visitor.leave()

        responses = await asyncio.gather(*(busy_visitor.come_back(parameters) for _ in range(16)))

        assert sorted(response.status_code for response in responses) == [200] + [400] * 15
        async with busy_world.sessionmaker() as db:
            assert len((await db.exec(select(UserSession))).all()) == 1

    async def test_no_connection_is_held_while_the_provider_is_asked(
        self, busy_visitor: Browser, busy_world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held: list[int] = []
        pool = busy_world.sessionmaker.kw["bind"].pool
        provider = busy_world.state["providers"].get("evil")
        for name in ("authorization_url", "external_user"):

            async def noting(*args: object, _original: object = getattr(provider, name)) -> object:
                held.append(pool.checkedout())
                return await _original(*args)  # type: ignore[operator]

            monkeypatch.setattr(provider, name, noting)

        assert (await busy_visitor.sign_in()).status_code == 200

        assert held == [0, 0]


class TestRefusals:
    @pytest.mark.parametrize(
        ("parameters", "status", "code"),
        [
            ({"error": "access_denied"}, 400, "OAUTH_DENIED"),
            ({"error": "temporarily_unavailable"}, 503, "OAUTH_PROVIDER_UNAVAILABLE"),
            ({}, 400, "OAUTH_INVALID_RESPONSE"),
        ],
    )
    async def test_response_without_a_code_is_refused(
        self, visitor: Browser, parameters: dict[str, str], status: int, code: str
    ) -> None:
        state = {"state": (await visitor.leave())["state"]}

        response = await visitor.come_back(state | parameters)

        assert (response.status_code, response.json()["detail"]) == (status, code)

    async def test_absent_provider_costs_its_own_button_only(self, visitor: Browser, provider: EvilProvider) -> None:
        provider.answers["/.well-known/openid-configuration"] = lambda _: None

        response = await visitor.client.get("/auth/evil/authorize")

        assert (response.status_code, response.json()["detail"]) == (503, "OAUTH_PROVIDER_UNAVAILABLE")
        assert (await visitor.client.get("/health/ready")).status_code == 200

    async def test_unknown_provider_is_not_found(self, visitor: Browser) -> None:
        assert (await visitor.client.get("/auth/unknown/authorize")).json()["detail"] == "OAUTH_PROVIDER_NOT_FOUND"

    async def test_browser_gets_a_page_and_a_program_a_problem(self, visitor: Browser) -> None:
        page = await visitor.come_back({"state": "unknown"}, HTML)
        problem = await visitor.come_back({"state": "unknown"})

        assert (page.status_code, page.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
        assert (problem.status_code, problem.headers["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    "path",
    [
        "/auth/unknown/authorize",
        "/auth/unknown/callback",
        "/auth/associate/unknown/authorize",
        "/auth/reauthenticate/unknown/authorize",
    ],
)
async def test_requests_of_strangers_are_counted_before_anything(visitor: Browser, world: World, path: str) -> None:
    world.change_settings(throttle_scale=1 / 120)

    statuses = [(await visitor.client.get(path)).status_code for _ in range(2)]

    assert statuses[0] in {401, 404, 422}
    assert statuses[1] == 429


class TestReturn:
    async def test_cookie_sign_in_returns_to_the_page_that_was_asked_for(self, visitor: Browser) -> None:
        response = await visitor.sign_in(kind="cookie", return_to="/account/sessions")

        assert (response.status_code, response.headers["Location"]) == (303, "/account/sessions")
        assert (await visitor.client.get("/account/sessions", headers=HTML)).status_code == 200

    @pytest.mark.parametrize(
        "return_to",
        ["https://app.example.com", "https://app.example.com/welcome?from=us#top", "https://accounts.example.com/docs"],
    )
    async def test_origins_of_other_pages_are_allowed(self, visitor: Browser, world: World, return_to: str) -> None:
        world.change_settings(cors_origins=("https://app.example.com",), public_url="https://accounts.example.com")

        response = await visitor.sign_in(kind="cookie", return_to=return_to)

        assert response.headers["Location"] == return_to

    @pytest.mark.parametrize(
        "return_to",
        [
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/account//evil.example",
            "/account/../../evil",
            "/account@evil.example",
            "/account/%2f%2fevil.example",
            "/account?next=//evil.example",
            "/users/me",
            "account",
            "https://evil.example",
            "https://app.example.com.evil.example",
            "https://app.example.com@evil.example",
            "https://app.example.com:443@evil.example/",
            "https://app.example.com:8443/",
            "https://app.example.com\\@evil.example",
            "https://app.example.com/\\evil.example",
            "https://evil.example/https://app.example.com/",
            "http://app.example.com/",
            "HTTPS://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "data:text/html,hello",
            "*/",
            "/account/done/accepted",
        ],
    )  # fmt: skip
    async def test_everything_else_is_refused_before_the_user_leaves(
        self, visitor: Browser, world: World, return_to: str
    ) -> None:
        world.change_settings(cors_origins=("https://app.example.com",))

        response = await visitor.client.get("/auth/evil/authorize", params={"kind": "cookie", "return_to": return_to})

        assert (response.status_code, response.json()["detail"]) == (400, "OAUTH_BAD_RETURN_TO")

    @pytest.mark.parametrize("return_to", ["/account\r\nSet-Cookie: a=b", "/account\tx", " /account", "/acc\u200bount"])
    async def test_text_that_is_no_url_is_invalid(self, visitor: Browser, return_to: str) -> None:
        response = await visitor.client.get("/auth/evil/authorize", params={"return_to": return_to})

        assert response.status_code == 422

    async def test_with_pages_of_another_site_the_user_returns_there(self, visitor: Browser, world: World) -> None:
        world.change_settings(pages_url="https://www.example.com/me")

        response = await visitor.sign_in(kind="cookie")

        assert response.headers["Location"] == "https://www.example.com/me"
        refused = await visitor.client.get("/auth/evil/authorize", params={"return_to": "/account"})
        assert refused.status_code == 400
