"""Imported users without a password get a mail to choose one, if the import asks for it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlmodel import select

from accounts.db.session import transaction
from accounts.domain.mail.queue import lease_next
from accounts.domain.retention import delete_expired
from accounts.models import MailKind, OutboxMail
from accounts.worker.delivery import LEASE, Delivery
from accounts.worker.message_context import message_context
from accounts.worker.obsolete_mail import lacks_key
from accounts.worker.stopping import Stop
from accounts.worker.transports import Folder
from support.people import PASSWORD, World
from user_files.conftest import Import
from user_files.test_import_route import JSON_LINES, post
from user_files.test_user_import import ARTHUR, BORS, GALAHAD, HASHED, users

INVITE = ("--invite",)
LINES: tuple[dict[str, Any], ...] = ({**ARTHUR, "hashed_password": HASHED}, {**BORS, "is_active": False}, GALAHAD)


async def queued(world: World) -> OutboxMail:
    async with transaction(world.sessionmaker) as db:
        return (await db.exec(select(OutboxMail))).one()


async def test_active_users_without_a_password_get_a_mail_to_choose_one(busy_world: World, import_file: Import) -> None:
    printed = await import_file(*LINES, options=INVITE)

    assert printed.splitlines() == [
        "Created 3 users (2 without a password), 0 groups and 0 memberships.",
        "1 of those without a password gets a mail to choose one.",
    ]
    [mail] = await busy_world.mails()
    assert (mail.kind, mail.email) == (MailKind.RESET, GALAHAD["email"])


async def test_link_sets_the_password_and_verifies_the_email(busy_world: World, import_file: Import) -> None:
    await import_file(GALAHAD, options=INVITE)
    assert not (await users(busy_world))["galahad"].is_verified

    body = {"token": await busy_world.token(), "password": PASSWORD}
    answer = await busy_world.client.post("/auth/reset-password", json=body)

    assert answer.status_code == 200
    await busy_world.sign_in(GALAHAD["email"])
    assert (await users(busy_world))["galahad"].is_verified
    assert (await busy_world.client.post("/auth/reset-password", json=body)).status_code == 400


async def test_dry_run_counts_and_sends_nothing(busy_world: World, import_file: Import) -> None:
    printed = await import_file(*LINES, options=(*INVITE, "--dry-run"))

    assert "1 of those without a password gets a mail to choose one." in printed
    assert await busy_world.mails() == []


async def test_second_import_sends_no_second_mail(busy_world: World, import_file: Import) -> None:
    await import_file(GALAHAD, options=INVITE)
    printed = await import_file(GALAHAD, BORS, options=INVITE)

    assert "1 of those without a password gets a mail to choose one." in printed
    assert [mail.email for mail in await busy_world.mails()] == [GALAHAD["email"], BORS["email"]]


async def test_failed_import_sends_nothing(busy_world: World, import_file: Import) -> None:
    with pytest.raises(SystemExit):
        await import_file(GALAHAD, BORS, BORS, options=INVITE)

    assert await busy_world.mails() == []


async def test_mail_has_the_language_that_the_import_names(
    busy_world: World, import_file: Import, tmp_path: Path
) -> None:
    await import_file(GALAHAD, options=("--invite", "de"))
    mail, folder = await queued(busy_world), tmp_path / "mails"
    folder.mkdir()
    settings = busy_world.state["settings"]

    assert await Delivery(busy_world.sessionmaker, busy_world.connect, Folder(folder), settings, Stop()).deliver_next()

    assert mail.language == "de"
    [letter] = folder.glob("*.eml")
    assert "Passwort" in letter.read_text()


async def test_token_works_for_a_week_from_when_the_mail_is_written(busy_world: World, import_file: Import) -> None:
    """However long the mail waited."""
    await import_file(GALAHAD, options=INVITE)
    await busy_world.sql("UPDATE one_time_token SET expires_at = expires_at - interval '30 days'")
    settings = busy_world.state["settings"]
    async with busy_world.owner() as db:
        await delete_expired(db, settings)

    async with transaction(busy_world.sessionmaker) as db:
        [mail] = await lease_next(db, LEASE, 8)
        values = await message_context(db, mail, settings)

    assert values
    assert abs(values["expires_at"] - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)


async def test_mail_of_another_key_is_recognised(busy_world: World, import_file: Import) -> None:
    await import_file(GALAHAD, options=INVITE)
    busy_world.change_settings(secret_key=SecretStr("another-key-of-more-than-thirty-two-characters"))

    async with transaction(busy_world.sessionmaker) as db:
        [mail] = await lease_next(db, LEASE, 8)
        assert await message_context(db, mail, busy_world.state["settings"]) is None
        assert await lacks_key(db, mail)


async def test_superuser_asks_for_the_mail(busy_world: World) -> None:
    merlin = await busy_world.sign_in(await busy_world.user("merlin", superuser=True))
    await busy_world.sql("DELETE FROM outbox")

    dry = await post(busy_world, merlin, *LINES, invite="true", dry_run="true")
    assert await busy_world.mails() == []
    real = await post(busy_world, {**merlin, "Accept-Language": "de"}, *LINES, invite="true")

    assert (dry.json()["invited"], real.json()["invited"]) == (1, 1)
    mail = await queued(busy_world)
    assert (mail.email, mail.language) == (GALAHAD["email"], "de")
    content = json.dumps(BORS | {"email": "enid@x.org"})
    answer = await busy_world.client.post("/users/import", content=content, headers=JSON_LINES | merlin)
    assert (answer.json()["created"], answer.json()["invited"], len(await busy_world.mails())) == (1, 0, 1)
