"""Connected accounts: connect and disconnect them, prove one's presence with one, and second factors."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from accounts.db.session import transaction
from accounts.domain.people import lock_user
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import ExternalIdentity, MailKind, User, UserSession
from accounts.settings_providers import SecondFactor
from support.evil_provider import EvilProvider
from support.external_browser import HTML, Browser, configure
from support.people import PASSWORD, World
from support.waiting import wait_for_lock

ASSOCIATE, REAUTHENTICATE = "/auth/associate/evil/authorize", "/auth/reauthenticate/evil/authorize"
IDENTITIES = "/users/me/identities"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


async def arthur_in(visitor: Browser, world: World, **changes: Any) -> User:
    """Sign Arthur in with a cookie and his password."""
    user = await world.user("arthur", is_verified=True, **changes)
    response = await visitor.client.post("/auth/cookie/login", data={"username": user.email, "password": PASSWORD})
    assert response.status_code == 204, response.text
    return user


async def age(world: World) -> None:
    await world.sql("UPDATE user_session SET authenticated_at = now() - interval '1 day'")


async def session_of(world: World) -> UserSession:
    async with world.sessionmaker() as db:
        return (await db.exec(select(UserSession))).one()


class TestConnect:
    async def test_user_connects_an_account_and_signs_in_with_it(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        arthur = await arthur_in(visitor, world)

        response = await visitor.come_back(await visitor.leave(ASSOCIATE, kind="cookie", return_to="/account/sessions"))

        assert (response.status_code, response.headers["Location"]) == (303, "/account/sessions")
        [identity] = (await visitor.client.get(IDENTITIES)).json()
        assert (
            identity.items() >= {"provider": "evil", "issuer": provider.issuer, "email": "lancelot@example.com"}.items()
        )
        assert (await Browser(world, provider).account())["id"] == str(arthur.id)
        [notice] = await world.mails(MailKind.SECURITY_CHANGED)
        assert (notice.email, notice.detail["change"]) == (arthur.email, "identity_linked")

    async def test_program_with_tokens_connects_an_account_by_the_same_callback(
        self, visitor: Browser, world: World
    ) -> None:
        headers = await world.sign_in(await world.user("arthur", is_verified=True))
        url = (await visitor.client.get(ASSOCIATE, headers=headers)).json()["authorization_url"]

        response = await visitor.come_back(visitor.provider.authorize(url))

        assert (response.status_code, response.content) == (204, b"")
        assert len((await visitor.client.get(IDENTITIES, headers=headers)).json()) == 1

    async def test_connecting_twice_changes_nothing(self, visitor: Browser, world: World) -> None:
        await arthur_in(visitor, world)
        for _ in range(2):
            response = await visitor.come_back(await visitor.leave(ASSOCIATE, kind="cookie"))
            assert response.status_code == 303

        assert len((await visitor.client.get(IDENTITIES)).json()) == 1

    async def test_account_of_another_user_is_not_taken_over(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        owner = await Browser(world, provider).account()
        await arthur_in(visitor, world)

        response = await visitor.come_back(await visitor.leave(ASSOCIATE))

        assert (response.status_code, response.json()["detail"]) == (409, "OAUTH_IDENTITY_TAKEN")
        assert (await Browser(world, provider).account())["id"] == owner["id"]

    async def test_second_account_of_an_issuer_is_refused(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        await arthur_in(visitor, world)
        await visitor.come_back(await visitor.leave(ASSOCIATE))
        provider.claims |= {"sub": "another"}

        response = await visitor.come_back(await visitor.leave(ASSOCIATE))

        assert response.json()["detail"] == "OAUTH_IDENTITY_TAKEN"

    async def test_old_sign_in_has_to_be_renewed_first(self, visitor: Browser, world: World) -> None:
        await arthur_in(visitor, world)
        await age(world)

        response = await visitor.client.get(ASSOCIATE, headers=SAME_ORIGIN)

        assert (response.status_code, response.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")

    @pytest.mark.parametrize("path", [ASSOCIATE, REAUTHENTICATE])
    @pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
    async def test_link_of_another_site_is_refused(self, visitor: Browser, world: World, path: str, site: str) -> None:
        """It would connect the account that an attacker has signed the browser in to, at the provider."""
        await arthur_in(visitor, world)

        headers = {"Sec-Fetch-Site": site} if site else {"Referer": "https://evil.example/"}
        response = await visitor.client.get(path, headers=headers)

        assert (response.status_code, response.json()["detail"]) == (403, "CROSS_SITE")

    async def test_old_browser_says_by_the_referrer_that_the_link_is_ours(self, visitor: Browser, world: World) -> None:
        await arthur_in(visitor, world)
        public_url = world.state["settings"].public_url

        assert (await visitor.client.get(ASSOCIATE, headers={"Referer": f"{public_url}/"})).status_code == 200
        wrong = await visitor.client.get(ASSOCIATE, headers={"Referer": f"{public_url}.evil.example/"})
        assert wrong.status_code == 403

    async def test_anonymous_caller_and_access_key_are_refused(self, visitor: Browser, world: World) -> None:
        key = await world.access_key(await world.user("arthur", is_verified=True), "users:read")

        assert (await visitor.client.get(ASSOCIATE)).status_code == 401
        assert (await visitor.client.get(ASSOCIATE, headers=key)).json()["detail"] == "NOT_WITH_A_KEY"

    @pytest.mark.parametrize(
        "change",
        [
            "DELETE FROM user_session",
            "UPDATE user_session SET expires_at = now()",
            'UPDATE "user" SET is_active = false',
        ],
    )
    async def test_way_back_ends_with_the_session(self, visitor: Browser, world: World, change: str) -> None:
        await arthur_in(visitor, world)
        parameters = await visitor.leave(ASSOCIATE)
        await world.sql(change)

        response = await visitor.come_back(parameters)

        assert response.json()["detail"] == "OAUTH_INVALID_STATE"

    async def test_address_that_is_no_longer_verified_connects_nothing(self, visitor: Browser, world: World) -> None:
        await arthur_in(visitor, world)
        parameters = await visitor.leave(ASSOCIATE)
        await world.sql('UPDATE "user" SET is_verified = false')

        assert (await visitor.come_back(parameters)).json()["detail"] == "VERIFIED_EMAIL_REQUIRED"


class TestDisconnect:
    async def test_user_disconnects_an_account_which_ends_the_other_sessions(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        await arthur_in(visitor, world)
        await visitor.come_back(await visitor.leave(ASSOCIATE))
        other = Browser(world, provider)
        await other.account()
        [identity] = (await visitor.client.get(IDENTITIES)).json()

        response = await visitor.client.delete(f"{IDENTITIES}/{identity['id']}")

        assert response.status_code == 204, response.text
        assert (await visitor.client.get(IDENTITIES)).json() == []
        assert (await other.client.get("/users/me")).status_code == 401
        assert (await visitor.client.get(f"{IDENTITIES}")).status_code == 200
        [notice] = await world.mails(MailKind.SECURITY_CHANGED)
        assert notice.detail["more"] == 1  # the first one waits yet

    async def test_last_way_in_stays(self, visitor: Browser) -> None:
        await visitor.account()
        [identity] = (await visitor.client.get(IDENTITIES)).json()

        response = await visitor.client.delete(f"{IDENTITIES}/{identity['id']}")

        assert (response.status_code, response.json()["detail"]) == (409, "LAST_WAY_IN")
        assert len((await visitor.client.get(IDENTITIES)).json()) == 1

    async def test_of_two_last_ways_in_removed_at_once_one_stays(
        self, busy_visitor: Browser, busy_world: World
    ) -> None:
        account = await busy_visitor.account()
        async with transaction(busy_world.sessionmaker) as db:
            other = ExternalIdentity(
                user_id=UUID(account["id"]), provider="other", issuer="https://o.example", subject="1"
            )
            db.add(other)
        identities = (await busy_visitor.client.get(IDENTITIES)).json()

        responses = await asyncio.gather(
            *(busy_visitor.client.delete(f"{IDENTITIES}/{each['id']}") for each in identities)
        )

        assert sorted(response.status_code for response in responses) == [204, 409]
        assert len((await busy_visitor.client.get(IDENTITIES)).json()) == 1

    async def test_identity_of_another_user_is_not_found(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        other = Browser(world, provider)
        await other.account()
        [identity] = (await other.client.get(IDENTITIES)).json()
        await arthur_in(visitor, world)

        response = await visitor.client.delete(f"{IDENTITIES}/{identity['id']}")

        assert (response.status_code, response.json()["detail"]) == (404, "IDENTITY_NOT_FOUND")

    async def test_old_sign_in_requires_the_password(self, visitor: Browser, world: World) -> None:
        await arthur_in(visitor, world)
        await visitor.come_back(await visitor.leave(ASSOCIATE))
        [identity] = (await visitor.client.get(IDENTITIES)).json()
        path = f"{IDENTITIES}/{identity['id']}"
        await age(world)

        refused = await visitor.client.delete(path)
        allowed = await visitor.client.request("DELETE", path, json={"current_password": PASSWORD})

        assert (refused.json()["detail"], allowed.status_code) == ("REAUTHENTICATION_REQUIRED", 204)

    async def test_undo_of_a_change_of_email_disconnects_what_the_thief_connected(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        await arthur_in(visitor, world)
        await visitor.come_back(await visitor.leave(ASSOCIATE))
        await visitor.client.patch("/users/me", json={"email": "rex@camelot.example.com"})
        await visitor.client.post("/auth/confirm-email", json={"token": await world.token()})
        undo = await world.client.post("/auth/undo-email", json={"token": await world.token()})
        assert undo.status_code == 200, undo.text
        provider.claims = {"email": "rex@camelot.example.com", "email_verified": False}

        assert (await Browser(world, provider).sign_in()).status_code == 400


class TestReauthentication:
    async def test_user_without_a_password_signs_in_again_at_the_provider(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        await visitor.account()
        await age(world)
        refused = await visitor.client.request("DELETE", "/users/me")
        parameters = await visitor.leave(REAUTHENTICATE, kind="cookie", return_to="/account/sessions")

        response = await visitor.come_back(parameters)

        assert refused.json()["detail"] == "REAUTHENTICATION_REQUIRED"
        assert (response.status_code, response.headers["Location"]) == (303, "/account/sessions")
        assert provider.codes == {}
        assert (await visitor.client.request("DELETE", "/users/me")).status_code == 204

    async def test_provider_is_asked_for_a_new_sign_in_and_has_to_confirm_it(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        await visitor.account()
        await age(world)
        provider.change = lambda claims: claims | {"auth_time": claims["auth_time"] - 600}
        parameters = await visitor.leave(REAUTHENTICATE)
        assert provider.codes[parameters["code"]]["max_age"] == "60"

        response = await visitor.come_back(parameters)

        assert (response.status_code, response.json()["detail"]) == (400, "OAUTH_INVALID_RESPONSE")
        assert (await visitor.client.request("DELETE", "/users/me")).status_code == 403

    async def test_account_that_is_not_connected_proves_nothing(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        await visitor.account()
        await age(world)
        provider.claims |= {"sub": "another"}

        response = await visitor.come_back(await visitor.leave(REAUTHENTICATE))

        assert response.json()["detail"] == "REAUTHENTICATION_REQUIRED"

    async def test_provider_does_not_replace_a_second_factor(self, visitor: Browser, world: World) -> None:
        await visitor.account()
        await world.sql("UPDATE \"user\" SET second_factors = '{totp}'")
        await age(world)

        response = await visitor.come_back(await visitor.leave(REAUTHENTICATE))

        assert response.json()["detail"] == "REAUTHENTICATION_REQUIRED"
        assert 'acr_values="aal2"' in response.headers["WWW-Authenticate"]

    async def test_level_of_the_session_is_kept(self, visitor: Browser, world: World) -> None:
        await visitor.account()
        await world.sql("UPDATE user_session SET aal = 2, methods = '{pwd,hwk,mfa}'")

        assert (await visitor.come_back(await visitor.leave(REAUTHENTICATE))).status_code == 204

        session = await session_of(world)
        assert (session.aal, session.methods) == (2, ["pwd", "hwk", "mfa", "fed"])

    async def test_provider_that_cannot_confirm_a_new_sign_in_is_not_asked(
        self, visitor: Browser, world: World
    ) -> None:
        await visitor.account()
        world.state["providers"].get("evil").proves_recent_sign_in = False

        response = await visitor.client.get(REAUTHENTICATE, headers=SAME_ORIGIN)

        assert response.json()["detail"] == "REAUTHENTICATION_REQUIRED"


class TestSecondFactor:
    @pytest.mark.parametrize(
        ("settings", "claims", "expected"),
        [
            ({}, {}, None),
            ({"acr": ("two",)}, {"acr": "two"}, None),
            ({"second_factor": SecondFactor.TRUST}, {}, 2),
            ({"second_factor": SecondFactor.TRUST, "acr": ("two",)}, {"acr": "two"}, 2),
            ({"second_factor": SecondFactor.TRUST, "acr": ("two",)}, {"acr": "one"}, None),
        ],
    )
    async def test_user_with_a_factor_is_asked_for_it_unless_the_provider_is_trusted(
        self,
        visitor: Browser,
        world: World,
        provider: EvilProvider,
        settings: dict[str, Any],
        claims: dict[str, Any],
        expected: int | None,
    ) -> None:
        await visitor.sign_in()
        await world.sql("UPDATE \"user\" SET second_factors = '{totp}'")
        await world.sql("DELETE FROM user_session")
        configure(world, provider, **settings)
        provider.claims |= claims

        response = await visitor.sign_in()

        if expected is None:
            assert (response.status_code, response.json()["detail"]) == (403, "MFA_REQUIRED")
            assert response.json()["factors"] == ["totp"]
        else:
            assert (response.status_code, (await session_of(world)).aal) == (200, expected)

    async def test_provider_proves_level_two_for_users_without_a_factor(
        self, visitor: Browser, world: World, provider: EvilProvider
    ) -> None:
        configure(world, provider, acr=("two",))
        provider.claims |= {"acr": "two"}

        await visitor.sign_in()

        session = await session_of(world)
        assert (session.aal, session.methods) == (2, ["fed", "mfa"])


async def test_service_account_cannot_connect_an_account(visitor: Browser) -> None:
    response = await visitor.client.get(ASSOCIATE, headers=HTML)

    assert (response.status_code, response.headers["Location"]) == (303, "/account/sign-in")


async def test_no_account_is_connected_if_the_session_ends_meanwhile(busy_world: World, provider: EvilProvider) -> None:
    configure(busy_world, provider)
    browser = Browser(busy_world, provider)
    arthur = await busy_world.user("arthur", is_verified=True)
    await browser.client.post("/auth/cookie/login", data={"username": arthur.email, "password": PASSWORD})
    parameters = await browser.leave("/auth/associate/evil/authorize", kind="cookie")

    async with transaction(busy_world.sessionmaker) as db:
        user = await lock_user(db, arthur)
        arriving = asyncio.create_task(browser.come_back(parameters))
        await wait_for_lock(busy_world, "the callback waits for the user")
        await SessionManager(db, busy_world.state["settings"]).revoke_all(user)
    answer = await arriving

    assert answer.status_code >= 400
    async with transaction(busy_world.sessionmaker) as db:
        assert (await db.exec(select(ExternalIdentity.id))).all() == []
