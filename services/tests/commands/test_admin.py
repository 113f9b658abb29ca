"""Administration from the command line, by the rules of the API."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import SecretStr
from sqlmodel import col, func, select

from accounts.commands import admin, run
from accounts.db.session import transaction
from accounts.models import AuditEvent, Invitation, MailKind, OneTimeToken, PendingRegistration, Throttle, UserSession
from accounts.settings import Settings, SignUp
from support.people import World
from support.second_factors import user_with_app

Main = Callable[..., Awaitable[None]]
SESSION = (
    "INSERT INTO user_session (id, user_id, kind, token_hash, expires_at, last_seen_at)"
    " SELECT gen_random_uuid(), id, 'bearer', '', now() + interval '{}', now() + interval '{}' FROM \"user\""
)
KEY = (
    "INSERT INTO access_key (id, user_id, name, secret_hash, scopes, expires_at)"
    " SELECT gen_random_uuid(), id, 'report', '', '{{}}', now() + interval '{}' FROM \"user\""
)
TOKEN = (
    "INSERT INTO one_time_token (user_id, purpose, email, token_hash, expires_at)"
    " SELECT id, '{0}', 'arthur', '{0}', now() + interval '{1}' FROM \"user\""
)
EVENT = "INSERT INTO audit_event (action, at) VALUES ('old', now() + interval '{}')"
PENDING_SIGN_IN = """
    INSERT INTO pending_sign_in (token_hash, user_id, scopes, methods, expires_at)
    SELECT sha256(convert_to('{0}', 'UTF8')), id, '{{}}', '{{}}', now() + interval '{0}' FROM "user"
"""
INVITATION = (
    "WITH new_group AS (INSERT INTO user_group (name) VALUES ('{0}') RETURNING id)"
    " INSERT INTO invitation (group_id, email, token_hash, expires_at)"
    " SELECT id, 'arthur', '{0}', now() + interval '{0}' FROM new_group"
)
PENDING = (
    "INSERT INTO pending_registration (email, token_hash, expires_at) VALUES ('{0}', '{0}', now() + interval '{0}')"
)
TOTP = "INSERT INTO totp (user_id, secret_sealed, created_at) SELECT id, '', now() + interval '{0}' FROM \"user\""
LIMIT = "INSERT INTO throttle VALUES ('{0}', now() + interval '{0}')"


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, fresh_settings: Settings, owned_database: str) -> Main:
    """The command, on the database of ``busy_world``, as its owner."""
    settings = fresh_settings.model_copy(update={"database_url": SecretStr(owned_database), "audit_days": 10})
    for module in (run, admin):
        monkeypatch.setattr(module, "get_settings", lambda: settings)
    return lambda *argv: asyncio.to_thread(admin.main, argv)


async def count(world: World, entity: Any) -> int:
    async with transaction(world.sessionmaker) as db:
        return (await db.exec(select(func.count()).select_from(entity))).one()


async def events(world: World) -> list[tuple[Any, ...]]:
    async with transaction(world.sessionmaker) as db:
        rows = (await db.exec(select(AuditEvent).order_by(col(AuditEvent.id)))).all()
    return [(each.action, each.actor_id, each.user_id, each.address) for each in rows]


async def test_deactivate_ends_sessions_and_refuses_sign_in(
    busy_world: World, main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    arthur = await busy_world.user("arthur")
    headers = await busy_world.sign_in(arthur)

    await main("deactivate", f"\u200b {arthur.email.upper()}\u200e")

    assert capsys.readouterr().out == f"Deactivated {arthur.email} and ended all sessions.\n"
    assert (await busy_world.client.get("/users/me", headers=headers)).status_code == 401
    assert (await busy_world.login(arthur)).status_code == 400
    assert ("user.changed", None, arthur.id, "") in await events(busy_world)


async def test_revoke_sessions_signs_the_user_out_everywhere(
    busy_world: World, main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    arthur = await busy_world.user("arthur")
    credentials = [await busy_world.sign_in(arthur), await busy_world.access_key(arthur, "profile:read")]

    await main("revoke-sessions", arthur.email)

    assert capsys.readouterr().out == f"Ended all sessions of {arthur.email}: 1. Revoked all access keys: 1.\n"
    for headers in credentials:
        assert (await busy_world.client.get("/users/me", headers=headers)).status_code == 401
    assert ("sessions.revoked", None, arthur.id, "") in await events(busy_world)
    await busy_world.sign_in(arthur)


async def test_reset_of_factors_lets_the_password_alone_suffice(
    busy_world: World, main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    phone = await user_with_app(busy_world)
    email = "arthur@camelot.example.com"

    await main("reset-factors", email)
    await main("reset-factors", email)

    assert capsys.readouterr().out == (
        f"Deleted all second factors of {email} and ended all sessions.\n{email} has no second factor.\n"
    )
    assert (await busy_world.client.get("/users/me", headers=phone.headers)).status_code == 401
    await busy_world.sign_in(email)
    assert [mail.detail["change"] for mail in await busy_world.mails(MailKind.SECURITY_CHANGED)][-1:] == ["totp_added"]
    assert ("factors.reset", None, (await events(busy_world))[0][2], "") in await events(busy_world)


async def test_reseal_lets_an_older_key_be_dropped(
    busy_world: World,
    main: Main,
    fresh_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("arthur", "bors"):
        await user_with_app(busy_world, name)
    await busy_world.sql(
        "UPDATE totp SET secret_sealed = 'a value of no key' WHERE user_id = (SELECT user_id FROM totp LIMIT 1)"
    )
    keys = SecretStr(f"a-new-key-of-at-least-32-characters,{busy_world.key}")
    changed = fresh_settings.model_copy(update={"secret_key": keys})
    monkeypatch.setattr(admin, "get_settings", lambda: changed)

    await main("reseal")

    assert capsys.readouterr().out == (
        "Authenticator apps sealed with the key that signs now: 1. SECRET_KEY lacks the key of 1 others.\n"
    )


async def test_last_superuser_cannot_be_deactivated(busy_world: World, main: Main) -> None:
    morgana = await busy_world.user("morgana", superuser=True)

    with pytest.raises(SystemExit, match=r"^admin: The last active superuser cannot be deleted"):
        await main("deactivate", morgana.email)

    await busy_world.sign_in(morgana)


async def test_only_one_of_two_superusers_can_be_deactivated_concurrently(busy_world: World, main: Main) -> None:
    people = [await busy_world.user(name, superuser=True) for name in ("morgana", "merlin")]

    async def refused(email: str) -> bool:
        try:
            await main("deactivate", email)
        except SystemExit:
            return True
        return False

    assert sorted(await asyncio.gather(*(refused(each.email) for each in people))) == [False, True]
    assert sorted([(await busy_world.login(each)).status_code for each in people]) == [200, 400]


@pytest.mark.parametrize("command", ["deactivate", "revoke-sessions", "reset-factors"])
@pytest.mark.usefixtures("busy_world")
async def test_unknown_email_is_reported(main: Main, command: str) -> None:
    with pytest.raises(SystemExit, match=r"^admin: The user does not exist\.$"):
        await main(command, "nobody@example.com")


def deleted(output: str) -> dict[str, int]:
    """Parse from how many rows of which tables something was deleted."""
    assert output.startswith("Deleted: ")
    return {table: int(rows) for rows, table in re.findall(r"(\d+) of (\w+)", output) if rows != "0"}


async def test_prune_deletes_only_expired_rows(
    busy_world: World, main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    await busy_world.user("arthur")
    for statement in (
        *(SESSION.format(*each) for each in (("1 h", "0"), ("-1 h", "0"), ("1 h", "-15 days"))),
        *(KEY.format(each) for each in ("-31 days", "-29 days", "1 day")),
        *(TOKEN.format(*each) for each in (("reset", "-1 h"), ("verify", "1 h"))),
        *(EVENT.format(each) for each in ("-11 days", "-9 days")),
        *(PENDING.format(each) for each in ("-1 h", "1 h")),
        *(PENDING_SIGN_IN.format(each) for each in ("-1 h", "1 h")),
        TOTP.format("-61 min"),
        *(INVITATION.format(each) for each in ("-1 h", "1 h")),
        *(LIMIT.format(each) for each in ("-1 h", "366 days", "1 h")),
    ):
        await busy_world.sql(statement)

    await main("prune")

    assert deleted(capsys.readouterr().out) == {
        "user_session": 2, "access_key": 1, "one_time_token": 1, "pending_registration": 1, "pending_sign_in": 1,
        "totp": 1, "invitation": 1, "throttle": 2, "audit_event": 1,
    }  # fmt: skip
    assert [await count(busy_world, each) for each in (UserSession, OneTimeToken, Invitation, Throttle)] == [1] * 4
    assert [action for action, *_ in await events(busy_world)] == ["user.created", "old", "pruned"]

    await main("prune")
    assert deleted(capsys.readouterr().out) == {}
    assert len(await events(busy_world)) == 3


async def test_prune_keeps_a_token_whose_mail_waits(busy_world: World, main: Main) -> None:
    arthur = await busy_world.user("arthur")
    await busy_world.client.post("/auth/forgot-password", json={"email": arthur.email})
    await busy_world.sql("UPDATE one_time_token SET expires_at = now() - interval '1 day'")

    await main("prune")
    assert await count(busy_world, OneTimeToken) == 1

    await busy_world.sql("DELETE FROM outbox")
    await main("prune")
    assert await count(busy_world, OneTimeToken) == 0


async def test_prune_keeps_a_registration_whose_mail_waits(busy_world: World, main: Main) -> None:
    busy_world.change_settings(sign_up=SignUp.VERIFIED)
    await busy_world.client.post("/auth/register", json={"email": "arthur@camelot.example.com"})
    await busy_world.sql("UPDATE pending_registration SET expires_at = now() - interval '1 day'")

    await main("prune")
    assert await count(busy_world, PendingRegistration) == 1

    await busy_world.sql("DELETE FROM outbox")
    await main("prune")
    assert await count(busy_world, PendingRegistration) == 0


async def test_prune_skips_locked_rows(busy_world: World, main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """Waiting for a concurrent attempt could become a deadlock."""
    await busy_world.sql(LIMIT.format("-1 h"))
    await busy_world.sql(LIMIT.format("-2 h"))
    async with transaction(busy_world.sessionmaker) as db:
        await db.exec(select(Throttle).where(Throttle.key == "-1 h").with_for_update())
        await asyncio.wait_for(main("prune"), 5)

    assert "1 of throttle" in capsys.readouterr().out


async def test_prune_requires_the_owner_of_the_schema(
    busy_world: World, main: Main, monkeypatch: pytest.MonkeyPatch, fresh_settings: Settings
) -> None:
    monkeypatch.setattr(run, "get_settings", lambda: fresh_settings)

    with pytest.raises(SystemExit, match=r"^admin: permission denied for table audit_event$"):
        await main("prune")

    assert await events(busy_world) == []


@pytest.mark.parametrize("argv", [(), ("deactivate",), ("forgive", "arthur"), ("prune", "all"), ("deactivate", "\0")])
def test_invalid_command_line_is_refused_with_usage(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        admin.parse(argv)
    assert "usage: python -m accounts.commands.admin" in capsys.readouterr().err


def test_help_names_what_prune_deletes_and_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        admin.parse(["--help"])

    text = " ".join(capsys.readouterr().out.split())
    for word in ("sessions", "tokens", "sign-ups", "invitations", "rate limits", "devices", "mail", "audit events"):
        assert word in text.partition("prune ")[2]
    assert "--overdue" in text


async def test_mail_counts_waiting_and_parked_mail(
    busy_world: World, main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    await busy_world.user("arthur")
    for _ in range(3):
        await busy_world.client.post("/auth/forgot-password", json={"email": "arthur@camelot.example.com"})
    await busy_world.sql("UPDATE outbox SET parked_at = now() WHERE id = (SELECT min(id::text)::uuid FROM outbox)")
    await busy_world.sql("UPDATE outbox SET created_at = now() - interval '90 seconds'")

    await main("mail")

    assert re.fullmatch(r"Mail: 2 waiting, the oldest for 9\d s; 1 parked\n", capsys.readouterr().out)
