"""A superuser resets the second factors of a user who lost them."""

import uuid

import pytest
from sqlmodel import select

from accounts.db.session import transaction
from accounts.domain import errors
from accounts.domain.identity.second_factors import TABLES
from accounts.domain.second_factors.factors import FactorManager
from accounts.models import AuditEvent, Base, MailKind, User
from support.people import PASSWORD, World
from support.second_factors import age, create_secret, mfa_token, user_with_app

NO_FACTORS = {"webauthn_challenge"}  # tables of the same modules that hold no factor of a user
ARTHUR = "arthur@camelot.example.com"


async def id_of(world: World, headers: dict[str, str]) -> uuid.UUID:
    return uuid.UUID((await world.client.get("/users/me", headers=headers)).json()["id"])


async def test_reset_removes_everything_ends_sessions_and_is_recorded_and_reported(world: World) -> None:
    phone = await user_with_app(world)
    arthur = await id_of(world, phone.headers)
    merlin = await world.user("merlin", superuser=True)
    superuser = await world.sign_in(merlin)
    token = await mfa_token(world)
    await world.sql("DELETE FROM outbox")

    done = await world.client.delete(f"/users/{arthur}/factors", headers=superuser)

    assert done.status_code == 204
    assert (await world.client.get("/users/me", headers=phone.headers)).status_code == 401
    answer = {"mfa_token": token, "recovery_code": phone.recovery_codes[0]}
    assert (await world.client.post("/auth/jwt/mfa", json=answer)).json()["detail"] == "MFA_BAD_TOKEN"
    headers = await world.sign_in(ARTHUR)  # the password alone suffices again
    factors = (await world.client.get("/users/me/factors", headers=headers)).json()
    assert factors == {"totp": None, "recovery_codes_left": 0, "passkeys": 0}
    [mail] = await world.mails(MailKind.SECURITY_CHANGED)
    assert (mail.email, mail.detail["change"], mail.detail["address"]) == (ARTHUR, "factors_reset", "")
    async with transaction(world.sessionmaker) as db:
        event = (await db.exec(select(AuditEvent).where(AuditEvent.action == "factors.reset"))).one()
    assert (event.actor_id, event.user_id) == (merlin.id, arthur)
    activity = (await world.client.get("/users/me/activity", headers=headers)).json()
    assert "factors.reset" in [each["action"] for each in activity]


async def test_reset_requires_a_superuser(world: World) -> None:
    phone = await user_with_app(world)
    other = await world.sign_in(await world.user("mordred"))
    path = f"/users/{await id_of(world, phone.headers)}/factors"

    assert (await world.client.delete(path, headers=other)).status_code == 403
    assert (await world.client.delete(path, headers=phone.headers)).status_code == 403
    assert (await world.login(ARTHUR)).json()["detail"] == "MFA_REQUIRED"


async def test_reset_requires_a_recent_sign_in_or_the_password(world: World) -> None:
    phone = await user_with_app(world)
    superuser = await world.sign_in(await world.user("merlin", superuser=True))
    path = f"/users/{await id_of(world, phone.headers)}/factors"
    await age(world)

    stale = await world.client.delete(path, headers=superuser)
    done = await world.client.request("DELETE", path, json={"current_password": PASSWORD}, headers=superuser)

    assert (stale.status_code, stale.json()["detail"], done.status_code) == (403, "REAUTHENTICATION_REQUIRED", 204)


async def test_reset_of_an_inactive_user_is_possible(world: World) -> None:
    phone = await user_with_app(world)
    arthur = await id_of(world, phone.headers)
    superuser = await world.sign_in(await world.user("merlin", superuser=True))
    await world.client.patch(f"/users/{arthur}", json={"is_active": False}, headers=superuser)

    assert (await world.client.delete(f"/users/{arthur}/factors", headers=superuser)).status_code == 204


async def test_reset_of_a_user_without_factors_changes_nothing(world: World) -> None:
    arthur = await world.user("arthur")
    headers, superuser = await world.sign_in(arthur), await world.sign_in(await world.user("merlin", superuser=True))
    await create_secret(world, headers)  # not confirmed
    await world.sql("DELETE FROM outbox")

    done = await world.client.delete(f"/users/{arthur.id}/factors", headers=superuser)

    assert done.status_code == 204
    assert (await world.client.get("/users/me", headers=headers)).status_code == 200
    assert await world.mails() == []


async def test_unknown_user_is_not_found(world: World) -> None:
    superuser = await world.sign_in(await world.user("merlin", superuser=True))

    refused = await world.client.delete(f"/users/{uuid.UUID(int=1)}/factors", headers=superuser)

    assert (refused.status_code, refused.json()["detail"]) == (404, "USER_NOT_FOUND")


async def test_user_who_is_deleted_meanwhile_is_not_found(world: World) -> None:
    arthur = await world.user("arthur")
    async with transaction(world.sessionmaker) as db:
        await db.delete(await db.get_one(User, arthur.id))

    async with transaction(world.sessionmaker) as db:
        factors = FactorManager(db, world.passwords, world.state["settings"])
        with pytest.raises(errors.UserNotFound):
            await factors.reset(arthur)


def test_reset_covers_every_table_of_second_factors() -> None:
    """Also those that are added: each has a line in ``identity.second_factors``."""
    stored = {
        each.local_table.name  # type: ignore[attr-defined]
        for each in Base.registry.mappers
        if each.class_.__module__ in {"accounts.models.second_factors", "accounts.models.passkeys"}
    }

    assert stored - NO_FACTORS == {table for table, _ in TABLES.values()}
