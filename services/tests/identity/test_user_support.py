"""What superusers do for one user: require a new password, and mail links."""

import uuid
from typing import Literal

import pytest
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain import errors
from accounts.domain.identity.user_support import UserSupportManager
from accounts.domain.mail.recipients import MAILS_SHOWN, list_mails_to
from accounts.domain.service_accounts.accounts import ServiceAccountManager
from accounts.models import AuditEvent, MailKind, Purpose, Role, User, UserSession
from accounts.schemas.service_accounts import ServiceAccountCreate
from support.people import PASSWORD, World
from support.schema import plan_without_scans
from support.second_factors import age

NEW = "excalibur-in-the-lake"


class Court:
    """Arthur, and the superuser Merlin, who signed in a moment ago."""

    def __init__(self, world: World, arthur: User, merlin: User, superuser: dict[str, str]) -> None:
        self.world, self.arthur, self.merlin, self.superuser = world, arthur, merlin, superuser
        self.path = f"/users/{arthur.id}/require-new-password"

    async def events(self) -> list[tuple[str, uuid.UUID | None]]:
        async with transaction(self.world.sessionmaker) as db:
            rows = await db.exec(
                select(AuditEvent).where(AuditEvent.user_id == self.arthur.id).order_by(col(AuditEvent.id))
            )
            return [(row.action, row.actor_id) for row in rows]

    async def require(self) -> None:
        answer = await self.world.client.post(self.path, headers=self.superuser)
        assert answer.status_code == 204, answer.text


@pytest.fixture
async def court(world: World) -> Court:
    arthur, merlin = await world.user("arthur"), await world.user("merlin", superuser=True)
    superuser = await world.sign_in(merlin)
    await world.sql("DELETE FROM outbox")
    return Court(world, arthur, merlin, superuser)


async def test_required_password_ends_the_old_one_and_all_that_it_opened(court: Court) -> None:
    headers, key = await court.world.sign_in(court.arthur), await court.world.access_key(court.arthur, "profile:read")

    await court.require()

    assert (await court.world.login(court.arthur)).json()["detail"] == "LOGIN_BAD_CREDENTIALS"
    for credential in (headers, key):
        assert (await court.world.client.get("/users/me", headers=credential)).status_code == 401
    by_merlin = [action for action, actor in await court.events() if actor == court.merlin.id]
    assert by_merlin == ["password.changed", "password.required", "sessions.revoked", "tokens.revoked"]


async def test_mailed_link_of_a_required_password_chooses_the_next_one(court: Court) -> None:
    await court.world.client.post("/auth/forgot-password", json={"email": court.arthur.email})
    earlier = await court.world.token()

    await court.require()

    refused = await court.world.client.post("/auth/reset-password", json={"token": earlier, "password": NEW})
    mail = (await court.world.mails(MailKind.RESET))[-1]
    done = await court.world.client.post("/auth/reset-password", json={"token": mail.token, "password": NEW})
    assert (refused.status_code, refused.json()["detail"]) == (400, "RESET_PASSWORD_BAD_TOKEN")
    assert (mail.email, mail.detail) == (court.arthur.email, {"password_required": True})
    assert done.status_code == 200
    assert (await court.world.login(court.arthur, NEW)).status_code == 200


async def test_inactive_user_gets_no_mail_about_a_required_password(court: Court) -> None:
    await court.world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'arthur%'")

    await court.require()

    assert await court.world.mails() == []
    assert ("password.required", court.merlin.id) in await court.events()


async def test_required_password_takes_a_superuser_with_a_recent_sign_in_or_the_password(court: Court) -> None:
    arthur = await court.world.sign_in(court.arthur)
    await age(court.world)

    as_user = await court.world.client.post(court.path, headers=arthur)
    stale = await court.world.client.post(court.path, headers=court.superuser)
    wrong = await court.world.client.post(court.path, json={"current_password": NEW}, headers=court.superuser)
    done = await court.world.client.post(court.path, json={"current_password": PASSWORD}, headers=court.superuser)

    assert as_user.status_code == 403
    assert (stale.status_code, stale.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")
    assert (wrong.status_code, wrong.json()["detail"]) == (400, "BAD_CURRENT_PASSWORD")
    assert done.status_code == 204


async def test_unknown_users_and_service_accounts_have_no_password_to_require(court: Court) -> None:
    group = await court.world.group("Round Table", members={court.arthur: Role.OWNER})
    async with transaction(court.world.sessionmaker) as db:
        squire = await ServiceAccountManager(db).create(group.id, ServiceAccountCreate(name="Squire"), court.arthur)

    answers = [
        await court.world.client.post(f"/users/{user_id}/require-new-password", headers=court.superuser)
        for user_id in (uuid.UUID(int=1), squire.id)
    ]

    assert [each.json()["detail"] for each in answers] == ["USER_NOT_FOUND", "NOT_FOR_SERVICE_ACCOUNTS"]


@pytest.mark.parametrize("purpose", [Purpose.VERIFY, Purpose.RESET])
async def test_links_are_mailed_to_the_user_and_recorded(
    court: Court, purpose: Literal[Purpose.VERIFY, Purpose.RESET]
) -> None:
    async with transaction(court.world.sessionmaker) as db:
        await UserSupportManager(db, court.world.passwords, court.world.state["settings"]).send_link(
            court.arthur, purpose
        )

    [mail] = await court.world.mails()
    assert (mail.kind, mail.email) == (purpose.value, court.arthur.email)
    assert (await court.events())[-1][0] == "link.sent"


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [({"is_active": False}, errors.UserInactive), ({"is_verified": True}, errors.VerifyUserAlreadyVerified)],
)
async def test_link_that_would_not_work_is_refused(
    court: Court, changes: dict[str, bool], refusal: type[errors.Refusal]
) -> None:
    bors = await court.world.user("bors", **changes)

    async with transaction(court.world.sessionmaker) as db:
        support = UserSupportManager(db, court.world.passwords, court.world.state["settings"])
        with pytest.raises(refusal):
            await support.send_link(bors, Purpose.VERIFY)

    assert await court.world.mails() == []


async def test_session_and_key_of_another_user_are_not_found(court: Court) -> None:
    async with transaction(court.world.sessionmaker) as db:
        support = UserSupportManager(db, court.world.passwords, court.world.state["settings"])
        current = (await db.exec(select(UserSession).where(UserSession.user_id == court.merlin.id))).one()
        with pytest.raises(errors.SessionNotFound):
            await support.end_session(court.arthur, current.id, current)
        with pytest.raises(errors.TokenNotFound):
            await support.revoke_key(court.arthur, uuid.UUID(int=1), current)


async def test_newest_mails_to_a_user_are_found_by_index(court: Court) -> None:
    await court.world.sql(
        "INSERT INTO outbox (id, kind, email, user_id) SELECT gen_random_uuid(), 'new_sign_in', email, id "
        "FROM \"user\", generate_series(1, 25) WHERE email LIKE 'arthur%'"
    )

    async with transaction(court.world.sessionmaker) as db:
        listed, of_merlin = await list_mails_to(db, court.arthur), await list_mails_to(db, court.merlin)
    plan = await plan_without_scans(court.world.sessionmaker, lambda db: list_mails_to(db, court.arthur), "sort")

    assert [mail.id for mail in listed] == sorted((mail.id for mail in listed), reverse=True)
    assert (len(listed), len(of_merlin)) == (MAILS_SHOWN, 0)
    assert "outbox" in plan
