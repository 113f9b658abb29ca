"""Completeness of the export: every table and column about users is exported, or explained here."""

import pytest
from pydantic import BaseModel
from sqlalchemy import Column, ForeignKey, MetaData, Table, Text, Uuid

from accounts.domain.personal_data import NOT_SHOWN, parts
from accounts.models import Base, User
from accounts.schemas.audit import PersonalEvent
from accounts.schemas.identity.users import UserRead
from accounts.schemas.personal_data import (
    PersonalAccessKey,
    PersonalData,
    PersonalDataHead,
    PersonalDevice,
    PersonalIdentity,
    PersonalImport,
    PersonalInvitation,
    PersonalMail,
    PersonalMembership,
    PersonalPasskey,
    PersonalSession,
    PersonalToken,
    PersonalTotp,
)

PERSONAL = {"user_id", "actor_id", "inviter_id", "email"}
EXPORTED: dict[str, type[BaseModel]] = {
    "user": UserRead,
    "membership": PersonalMembership,
    "user_session": PersonalSession,
    "access_key": PersonalAccessKey,
    "passkey": PersonalPasskey,
    "one_time_token": PersonalToken,
    "totp": PersonalTotp,
    "known_device": PersonalDevice,
    "external_identity": PersonalIdentity,
    "outbox": PersonalMail,
    "invitation": PersonalInvitation,
    "member_import": PersonalImport,
    "audit_event": PersonalEvent,
}
# Tables and columns that are not exported under their own name, with the reason.
REASONS = {
    "membership.user_id": "the user of the export",
    "user_session.user_id": "the user of the export",
    "access_key.user_id": "the user of the export",
    "passkey.user_id": "the user of the export",
    "webauthn_challenge": "lasts five minutes",
    "user.owner_group_id": "set only for service accounts, which are no persons",
    "user.second_factors": "follows from the rows of the factors",
    "user.verified_before": "whether an address was verified before; the events say when",
    "pending_sign_in": "lasts five minutes",
    "mailed_code": "lasts ten minutes from its mail, which is exported",
    "one_time_token.user_id": "the user of the export",
    "totp.user_id": "the user of the export",
    "recovery_code": "only hashes of what the user has; GET /users/me/factors counts them",
    "known_device.user_id": "the user of the export",
    "external_identity.user_id": "the user of the export",
    "outbox.user_id": "the user of the export",
    "outbox.sender_id": "the user who caused the mail; the recipient is another one",
    "outbox.turn": "the place of the mail in the queue",
    "outbox.invitation_id": "set only for mail to an address without an account",
    "invitation.user_id": "the user in invitations_for_me; other users are not named",
    "pending_registration": "has no user yet, and lasts a day",
    "invitation.inviter_id": "the user in invitations_by_me; other users are not named",
    "member_import.actor_id": "the user of the export",
    "member_import.rows": "other people, from a file of the user's own; deleted when the import ends",
    "member_import.request": "the user's device and network until the import ends; the sessions have both",
    "member_import.mails_counted": "whether the limit of mail has counted it",
    "audit_event.actor_id": "shown as by_me; other users are not named",
    "audit_event.user_id": "shown as to_me; other users are not named",
}


def unaccounted(metadata: MetaData) -> set[str]:
    """Return the tables about users, and columns of exported tables, that are neither exported nor explained."""
    names: set[str] = set()
    for table in filter(about_users, metadata.tables.values()):
        if fields := EXPORTED.get(table.name):
            names |= {f"{table.name}.{name}" for name in table.columns.keys() - fields.model_fields.keys()}
        else:
            names.add(table.name)
    return names - {*NOT_SHOWN, *REASONS}


def about_users(table: Table) -> bool:
    references = {key.column.table.name for key in table.foreign_keys}
    return table.name == "user" or "user" in references or not PERSONAL.isdisjoint(table.columns.keys())


def test_everything_stored_about_users_is_exported_or_explained() -> None:
    assert unaccounted(Base.metadata) == set(), "add it to domain/personal_data.py, or give a reason above"


def test_every_reason_names_an_existing_column() -> None:
    columns = {f"{table.name}.{column.name}" for table in Base.metadata.tables.values() for column in table.columns}

    assert {*NOT_SHOWN, *REASONS} <= columns | Base.metadata.tables.keys()


@pytest.mark.parametrize(
    "column", [Column("earned_by", ForeignKey("user.id")), Column("user_id", Uuid), Column("email", Text)]
)
def test_new_table_or_column_about_users_is_detected(column: Column[object]) -> None:
    metadata = MetaData()
    Table("user", metadata, Column("id", Uuid, primary_key=True), Column("shoe_size", Text))
    Table("sword", metadata, Column("id", Uuid, primary_key=True), column)
    Table("motto", metadata, Column("id", Uuid, primary_key=True))

    assert unaccounted(metadata) == {"sword", "user.shoe_size"}


def test_schema_and_export_have_the_same_lists() -> None:
    described = PersonalData.model_fields.keys() - PersonalDataHead.model_fields.keys()

    assert parts(User()).keys() == described


def test_deleting_a_user_has_the_documented_consequences() -> None:
    """As docs/personal-data.md says."""
    tables = Base.metadata.tables.values()
    keys = [key for table in tables for key in table.foreign_keys if key.column.table.name == "user"]
    consequences = {f"{key.parent.table.name}.{key.parent.name}": key.ondelete for key in keys}

    known = {
        "membership.user_id": "CASCADE",
        "user_session.user_id": "CASCADE",
        "one_time_token.user_id": "CASCADE",
        "known_device.user_id": "CASCADE",
        "outbox.user_id": "CASCADE",
        "outbox.sender_id": "SET NULL",
        "invitation.user_id": "CASCADE",
        "invitation.inviter_id": "SET NULL",
    }

    assert known.items() <= consequences.items()
    assert set(consequences.values()) == {"CASCADE", "SET NULL"}  # also of tables that are added
