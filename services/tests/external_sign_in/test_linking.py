"""Whose account a sign-in with a provider opens: never one whose owner has not proven both sides."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import text
from sqlmodel import col, select

from accounts.db.session import Session, transaction
from accounts.models import AuditEvent, ExternalIdentity, MailKind, Role, Scope, User
from accounts.settings import SignUp
from accounts.settings_providers import Link, ProviderSignUp, TrustEmail
from support.account_pages import what_was_done
from support.evil_provider import SUBJECT, EvilProvider
from support.external_browser import Browser, configure
from support.invitations import GALAHAD, Table, table_of
from support.people import PASSWORD, World
from support.second_factors import user_with_app
from support.waiting import wait_for_lock

LANCELOT = "lancelot@camelot.example.com"
SIGNED_IN = (200, "")
REFUSED = {
    code: (400, code)
    for code in (
        "OAUTH_NOT_AVAILABLE_EMAIL",
        "OAUTH_EMAIL_UNVERIFIED",
        "OAUTH_USER_ALREADY_EXISTS",
        "LOGIN_BAD_CREDENTIALS",
    )
}
VERIFIED: dict[str, Any] = {"email": LANCELOT, "email_verified": True}
UNVERIFIED: dict[str, Any] = {"email": LANCELOT, "email_verified": False}
NO_EMAIL: dict[str, Any] = {}


def outcome(response: Response) -> tuple[int, str]:
    return response.status_code, "" if response.status_code == 200 else response.json()["detail"]


@asynccontextmanager
async def locked_users(world: World, visitor: Browser) -> AsyncIterator[tuple[Session, asyncio.Task[Response]]]:
    """Lock all users while a sign-in begins. The block changes something, and the sign-in goes on after it."""
    parameters = await visitor.leave()
    async with transaction(world.sessionmaker) as db:
        connection = await db.connection()
        await connection.execute(text('SELECT id FROM "user" FOR UPDATE'))
        waiting = asyncio.create_task(visitor.come_back(parameters))
        await wait_for_lock(world, "the sign-in waits for the user")
        yield db, waiting


async def identities(world: World) -> list[tuple[str, str]]:
    """Return the email of the user, and the subject, of each identity."""
    async with world.sessionmaker() as db:
        statement = select(User.email, ExternalIdentity.subject).join(
            ExternalIdentity, col(ExternalIdentity.user_id) == User.id
        )
        return [(email, subject) for email, subject in await db.exec(statement)]


async def users(world: World) -> list[User]:
    async with world.sessionmaker() as db:
        return [*(await db.exec(select(User).order_by(col(User.id))))]


@pytest.mark.parametrize(
    ("account", "claims", "expected", "linked"),
    [
        (None, VERIFIED, SIGNED_IN, True),
        (None, UNVERIFIED, REFUSED["OAUTH_EMAIL_UNVERIFIED"], False),
        (None, {"email": LANCELOT}, REFUSED["OAUTH_EMAIL_UNVERIFIED"], False),
        (None, {"email": LANCELOT, "email_verified": "yes"}, REFUSED["OAUTH_EMAIL_UNVERIFIED"], False),
        (None, NO_EMAIL, REFUSED["OAUTH_NOT_AVAILABLE_EMAIL"], False),
        (None, {"email": "lancelot", "email_verified": True}, REFUSED["OAUTH_NOT_AVAILABLE_EMAIL"], False),
        (
            None,
            {"email": "a@service.invalid", "email_verified": True},
            REFUSED["OAUTH_NOT_AVAILABLE_EMAIL"],
            False,
        ),
        ({"is_verified": True}, VERIFIED, REFUSED["OAUTH_USER_ALREADY_EXISTS"], False),
        ({"is_verified": True}, UNVERIFIED, REFUSED["OAUTH_EMAIL_UNVERIFIED"], False),
        ({"is_verified": True}, NO_EMAIL, REFUSED["OAUTH_NOT_AVAILABLE_EMAIL"], False),
        ({}, VERIFIED, SIGNED_IN, True),
        ({}, {"email": LANCELOT.title(), "email_verified": True}, SIGNED_IN, True),
        ({}, UNVERIFIED, REFUSED["OAUTH_EMAIL_UNVERIFIED"], False),
        ({"is_active": False, "is_verified": True}, VERIFIED, REFUSED["LOGIN_BAD_CREDENTIALS"], False),
        ({"is_active": False}, VERIFIED, REFUSED["LOGIN_BAD_CREDENTIALS"], False),
        ({"is_active": False}, UNVERIFIED, REFUSED["OAUTH_EMAIL_UNVERIFIED"], False),
    ],
)
async def test_account_that_is_not_connected(
    visitor: Browser,
    provider: EvilProvider,
    world: World,
    account: dict[str, Any] | None,
    claims: dict[str, Any],
    expected: tuple[int, str],
    *,
    linked: bool,
) -> None:
    if account is not None:
        await world.user("lancelot", **account)
    provider.claims = claims

    assert outcome(await visitor.sign_in()) == expected

    assert bool(await identities(world)) is linked
    assert len(await users(world)) == (account is not None or linked)


async def test_response_to_an_unverified_address_is_the_same_whether_it_has_an_account(
    visitor: Browser, provider: EvilProvider, world: World
) -> None:
    provider.claims = UNVERIFIED
    free = await visitor.sign_in()
    await world.user("lancelot", is_verified=True)

    taken = await visitor.sign_in()

    assert (taken.status_code, taken.content) == (free.status_code, free.content)
    assert taken.headers.keys() == free.headers.keys()


class TestKnownIdentity:
    async def test_subject_of_another_issuer_is_another_user(
        self, visitor: Browser, provider: EvilProvider, world: World
    ) -> None:
        await visitor.sign_in()
        await world.sql("UPDATE external_identity SET issuer = 'https://other.example'")
        provider.claims = UNVERIFIED

        assert outcome(await visitor.sign_in()) == REFUSED["OAUTH_EMAIL_UNVERIFIED"]

    async def test_name_of_the_provider_does_not_matter(self, visitor: Browser, world: World) -> None:
        first = await visitor.account()
        await world.sql("UPDATE external_identity SET provider = 'former'")

        assert await visitor.account() == first

    async def test_inactive_user_is_refused_and_the_failure_recorded(self, visitor: Browser, world: World) -> None:
        await visitor.sign_in()
        await world.sql('UPDATE "user" SET is_active = false')

        assert outcome(await visitor.sign_in()) == REFUSED["LOGIN_BAD_CREDENTIALS"]

        async with world.sessionmaker() as db:
            events = await db.exec(select(AuditEvent.action).order_by(col(AuditEvent.id).desc()))
            assert events.first() == "session.refused"

    async def test_user_who_is_deleted_meanwhile_is_refused_and_gets_a_new_account(
        self, busy_visitor: Browser, busy_world: World
    ) -> None:
        await busy_visitor.sign_in()
        [user] = await users(busy_world)

        async with locked_users(busy_world, busy_visitor) as (db, waiting):
            await busy_world.users(db).delete(await busy_world.users(db).get(user.id))

        assert outcome(await waiting) == REFUSED["LOGIN_BAD_CREDENTIALS"]
        assert outcome(await busy_visitor.sign_in()) == SIGNED_IN
        assert user.id not in {each.id for each in await users(busy_world)}


class TestNewUser:
    @pytest.mark.parametrize("name", ["Lance\u202elot", "\u200b\u200b", "a\x00b", 5, None, {"x": 1}])
    async def test_unusable_name_is_left_out(
        self, visitor: Browser, provider: EvilProvider, world: World, name: object
    ) -> None:
        provider.claims = VERIFIED | {"name": name}

        assert outcome(await visitor.sign_in()) == SIGNED_IN

        assert [user.display_name for user in await users(world)] == [""]

    @pytest.mark.parametrize(
        ("sign_up", "expected"),
        [
            (SignUp.OPEN, SIGNED_IN),
            (SignUp.VERIFIED, SIGNED_IN),
            (SignUp.INVITED, (403, "REGISTER_INVITATION_REQUIRED")),
            (SignUp.CLOSED, (403, "REGISTER_CLOSED")),
        ],
    )
    async def test_sign_up_follows_the_setting(
        self, visitor: Browser, world: World, sign_up: SignUp, expected: tuple[int, str]
    ) -> None:
        world.change_settings(sign_up=sign_up)

        assert outcome(await visitor.sign_in()) == expected

    async def test_provider_without_sign_up_signs_in_connected_users_only(
        self, visitor: Browser, provider: EvilProvider, world: World
    ) -> None:
        await visitor.sign_in()
        configure(world, provider, sign_up=ProviderSignUp.NO)

        assert outcome(await visitor.sign_in()) == SIGNED_IN
        provider.claims |= {"sub": "2", "email": LANCELOT}
        assert outcome(await visitor.sign_in()) == (403, "OAUTH_SIGN_UP_CLOSED")

    async def test_reserved_address_is_taken(self, visitor: Browser, provider: EvilProvider, world: World) -> None:
        user = await world.user("lancelot", is_verified=True)
        headers = await world.sign_in(user)
        await world.client.patch("/users/me", json={"email": "dulac@camelot.example.com"}, headers=headers)
        await world.client.post("/auth/confirm-email", json={"token": await world.token()})
        provider.claims = VERIFIED

        assert outcome(await visitor.sign_in()) == REFUSED["OAUTH_USER_ALREADY_EXISTS"]

    async def test_two_first_sign_ins_at_once_create_one_user(
        self, busy_visitor: Browser, busy_world: World, provider: EvilProvider
    ) -> None:
        browsers = [busy_visitor, *(Browser(busy_world, provider) for _ in range(5))]
        parameters = [await each.leave() for each in browsers]

        responses = await asyncio.gather(
            *(each.come_back(given) for each, given in zip(browsers, parameters, strict=True))
        )

        assert [outcome(response) for response in responses] == [SIGNED_IN] * 6
        assert len(await users(busy_world)) == 1
        assert len(await identities(busy_world)) == 1

    async def test_two_people_with_one_address_at_once_do_not_share_an_account(
        self, busy_visitor: Browser, busy_world: World, provider: EvilProvider
    ) -> None:
        browsers = [busy_visitor, *(Browser(busy_world, provider) for _ in range(3))]
        parameters = [await each.leave() for each in browsers]
        subjects = iter("1234")
        provider.change = lambda claims: claims | {"sub": next(subjects)}

        responses = await asyncio.gather(
            *(each.come_back(given) for each, given in zip(browsers, parameters, strict=True))
        )

        assert sorted(outcome(response) for response in responses) == [
            SIGNED_IN,
            *[REFUSED["OAUTH_USER_ALREADY_EXISTS"]] * 3,
        ]
        assert len(await identities(busy_world)) == 1


class TestRaces:
    """What was read is read again: another request changes it while the sign-in waits for the user."""

    async def test_account_that_is_disconnected_meanwhile_is_unknown(
        self, busy_visitor: Browser, busy_world: World, provider: EvilProvider
    ) -> None:
        await busy_visitor.sign_in()
        provider.claims = UNVERIFIED

        async with locked_users(busy_world, busy_visitor) as (db, waiting):
            await (await db.connection()).execute(text("DELETE FROM external_identity"))

        assert outcome(await waiting) == REFUSED["OAUTH_EMAIL_UNVERIFIED"]

    async def test_account_that_is_connected_meanwhile_is_known(
        self, busy_visitor: Browser, busy_world: World, provider: EvilProvider
    ) -> None:
        user = await busy_world.user("lancelot", is_verified=True)
        provider.claims = VERIFIED

        async with locked_users(busy_world, busy_visitor) as (db, waiting):
            db.add(ExternalIdentity(user_id=user.id, provider="evil", issuer=provider.issuer, subject=SUBJECT))

        assert outcome(await waiting) == SIGNED_IN

    async def test_address_that_is_changed_meanwhile_is_free(
        self, busy_visitor: Browser, busy_world: World, provider: EvilProvider
    ) -> None:
        user = await busy_world.user("lancelot")
        provider.claims = VERIFIED

        async with locked_users(busy_world, busy_visitor) as (db, waiting):
            await (await db.connection()).execute(text("UPDATE \"user\" SET email = 'other@example.com'"))

        assert outcome(await waiting) == SIGNED_IN
        assert [(each.id == user.id, each.email) for each in await users(busy_world)] == [
            (True, "other@example.com"),
            (False, LANCELOT),
        ]

    async def test_account_that_is_connected_while_it_signs_up_signs_in_and_creates_no_user(
        self, busy_visitor: Browser, busy_world: World, provider: EvilProvider
    ) -> None:
        guinevere = await busy_world.user("guinevere", is_verified=True)
        provider.claims = VERIFIED
        parameters = await busy_visitor.leave()

        async with transaction(busy_world.sessionmaker) as db:
            db.add(ExternalIdentity(user_id=guinevere.id, provider="evil", issuer=provider.issuer, subject=SUBJECT))
            await db.flush()
            waiting = asyncio.create_task(busy_visitor.come_back(parameters))
            await wait_for_lock(busy_world, "the sign-up waits for the identity")

        assert outcome(await waiting) == SIGNED_IN
        assert [user.id for user in await users(busy_world)] == [guinevere.id]

    async def test_one_account_with_two_addresses_at_once_is_one_user(
        self, busy_visitor: Browser, busy_world: World, provider: EvilProvider
    ) -> None:
        browsers = [busy_visitor, *(Browser(busy_world, provider) for _ in range(3))]
        parameters = [await each.leave() for each in browsers]
        numbers = iter(range(4))
        provider.change = lambda claims: claims | {"email": f"lancelot{next(numbers)}@example.com"}

        responses = await asyncio.gather(
            *(each.come_back(given) for each, given in zip(browsers, parameters, strict=True))
        )

        assert [outcome(response) for response in responses] == [SIGNED_IN] * 4
        assert len(await users(busy_world)) == 1


class TestClaim:
    async def test_owner_of_the_address_gets_an_unverified_account_without_what_a_stranger_left_in_it(
        self, visitor: Browser, provider: EvilProvider, world: World
    ) -> None:
        stranger = await world.user("lancelot")
        headers = await world.sign_in(stranger)
        key = await world.access_key(stranger, Scope.PROFILE_READ)
        await world.client.post("/auth/forgot-password", json={"email": LANCELOT})
        token = await world.token()
        async with transaction(world.sessionmaker) as db:
            db.add(ExternalIdentity(user_id=stranger.id, provider="evil", issuer=provider.issuer, subject="stranger"))
        provider.claims = VERIFIED

        assert outcome(await visitor.sign_in()) == SIGNED_IN

        assert [(user.id, user.is_verified) for user in await users(world)] == [(stranger.id, True)]
        assert (await world.login(LANCELOT)).status_code == 400
        assert (await world.client.get("/users/me", headers=headers)).status_code == 401
        assert (await world.client.get("/users/me", headers=key)).status_code == 401
        reset = await world.client.post("/auth/reset-password", json={"token": token, "password": PASSWORD})
        assert reset.status_code == 400
        assert [subject for _, subject in await identities(world)] != ["stranger"]

    async def test_account_without_a_password_is_claimed_too(
        self, visitor: Browser, provider: EvilProvider, world: World
    ) -> None:
        await world.user("lancelot", hashed_password="!")
        provider.claims = VERIFIED

        assert outcome(await visitor.sign_in()) == SIGNED_IN

    async def test_stranger_cannot_connect_an_account_while_the_address_is_unverified(
        self, visitor: Browser, world: World
    ) -> None:
        headers = await world.sign_in(await world.user("lancelot"))

        response = await visitor.client.get("/auth/associate/evil/authorize", headers=headers)

        assert (response.status_code, response.json()["detail"]) == (403, "VERIFIED_EMAIL_REQUIRED")

    async def test_password_that_the_stranger_enters_meanwhile_starts_no_session(
        self, busy_visitor: Browser, busy_world: World, provider: EvilProvider
    ) -> None:
        user = await busy_world.user("lancelot")
        provider.claims = VERIFIED
        parameters = await busy_visitor.leave()

        claimed, *guesses = await asyncio.gather(
            busy_visitor.come_back(parameters), *(busy_world.login(user) for _ in range(4))
        )

        assert outcome(claimed) == SIGNED_IN
        for each in guesses:
            if each.status_code == 200:
                headers = {"Authorization": f"Bearer {each.json()['access_token']}"}
                assert (await busy_world.client.get("/users/me", headers=headers)).status_code == 401


class TestSettingsOfTheProvider:
    async def test_provider_that_one_runs_links_a_verified_account_at_once_and_mails_a_notice(
        self, visitor: Browser, provider: EvilProvider, world: World
    ) -> None:
        user = await world.user("lancelot", is_verified=True)
        configure(world, provider, link=Link.VERIFIED)
        provider.claims = VERIFIED

        assert outcome(await visitor.sign_in()) == SIGNED_IN

        assert [each.id for each in await users(world)] == [user.id]
        [notice] = await world.mails(MailKind.SECURITY_CHANGED)
        assert (notice.email, notice.detail["change"], notice.detail["factor_name"]) == (
            LANCELOT,
            "identity_linked",
            "Evil",
        )
        assert (await world.login(user)).status_code == 200  # the password stays

    async def test_second_account_of_the_issuer_is_not_linked_to_the_same_user(
        self, visitor: Browser, provider: EvilProvider, world: World
    ) -> None:
        await world.user("lancelot", is_verified=True)
        configure(world, provider, link=Link.VERIFIED)
        provider.claims = VERIFIED
        await visitor.sign_in()
        provider.claims = VERIFIED | {"sub": "another"}

        assert outcome(await visitor.sign_in()) == (409, "OAUTH_IDENTITY_TAKEN")

    async def test_provider_that_gives_each_user_an_address_need_not_verify_it(
        self, visitor: Browser, provider: EvilProvider, world: World
    ) -> None:
        configure(world, provider, trust_email=TrustEmail.ALWAYS)
        provider.claims = {"email": LANCELOT}

        assert outcome(await visitor.sign_in()) == SIGNED_IN


class TestInvitations:
    @pytest.fixture
    async def table(self, world: World) -> Table:
        return await table_of(world)

    @pytest.mark.parametrize("sign_up", [SignUp.OPEN, SignUp.INVITED])
    async def test_new_user_joins_the_group_with_the_sign_up(
        self, visitor: Browser, provider: EvilProvider, world: World, table: Table, sign_up: SignUp
    ) -> None:
        token = await table.token(GALAHAD, role=Role.ADMIN)
        world.change_settings(sign_up=sign_up)
        provider.claims = {"email": GALAHAD, "email_verified": True, "name": "Galahad"}

        response = await visitor.sign_in(invitation=token, kind="cookie")

        assert (response.headers["Location"], what_was_done(response)) == ("/account/done/accepted", "accepted")
        assert (await table.roles())["galahad"] == "admin"

    async def test_user_who_comes_without_the_token_finds_the_invitation(
        self, visitor: Browser, provider: EvilProvider, world: World, table: Table
    ) -> None:
        await table.token(GALAHAD)
        world.change_settings(sign_up=SignUp.INVITED)
        provider.claims = {"email": GALAHAD, "email_verified": True}

        assert outcome(await visitor.sign_in()) == SIGNED_IN

        assert "galahad" not in await table.roles()

    async def test_expired_invitation_opens_no_sign_up(
        self, visitor: Browser, provider: EvilProvider, world: World, table: Table
    ) -> None:
        token = await table.token(GALAHAD)
        await world.sql("UPDATE invitation SET expires_at = now()")
        world.change_settings(sign_up=SignUp.INVITED)
        provider.claims = {"email": GALAHAD, "email_verified": True}

        assert outcome(await visitor.sign_in()) == (403, "REGISTER_INVITATION_REQUIRED")
        assert outcome(await visitor.sign_in(invitation=token)) == (400, "INVITATION_BAD_TOKEN")

    async def test_connected_user_accepts_the_invitation_by_the_sign_in(
        self, visitor: Browser, provider: EvilProvider, table: Table
    ) -> None:
        provider.claims = {"email": GALAHAD, "email_verified": True, "name": "Galahad"}
        await visitor.sign_in()
        token = await table.token(GALAHAD)

        assert outcome(await visitor.sign_in(invitation=token)) == SIGNED_IN

        assert (await table.roles())["galahad"] == "member"

    async def test_invitation_to_another_address_creates_no_account(
        self, visitor: Browser, provider: EvilProvider, world: World, table: Table
    ) -> None:
        token = await table.token(GALAHAD)
        before = len(await users(world))
        provider.claims = VERIFIED

        assert outcome(await visitor.sign_in(invitation=token)) == (403, "INVITATION_OTHER_ADDRESS")

        assert len(await users(world)) == before


async def test_nothing_is_connected_before_the_second_factor_is_proven(world: World, provider: EvilProvider) -> None:
    configure(world, provider, link=Link.VERIFIED)
    await user_with_app(world, is_verified=True)
    provider.claims = {"email": "arthur@camelot.example.com", "email_verified": True}

    answer = await Browser(world, provider).sign_in()

    assert answer.json()["detail"] == "OAUTH_USER_ALREADY_EXISTS"
    async with transaction(world.sessionmaker) as db:
        assert (await db.exec(select(ExternalIdentity.id))).all() == []
