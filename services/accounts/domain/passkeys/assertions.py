"""Uses of passkeys: each answers a challenge, is verified, and is counted, so that a copy of the passkey is noticed.

Below are those as the second factor, which finish a sign-in or renew the authentication of a session.
"""

from collections.abc import Sequence
from typing import Any

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.audit.log import Action
from accounts.domain.identity.security_notices import report_change
from accounts.domain.passkeys import responses
from accounts.domain.passkeys.challenges import Ceremony, create_challenge, use_challenge
from accounts.domain.passkeys.options import request_options
from accounts.domain.passkeys.relying_party import relying_party
from accounts.domain.passkeys.responses import Assertion, Response
from accounts.models import Method, Passkey, User
from accounts.settings import Settings

# The counter grows with each use, unless the authenticator does not count (WebAuthn Level 3, 6.1.1). Of two uses with
# the same count, one is by a copy.
COUNT_USE = CompiledStatement("""
    UPDATE passkey SET last_used_at = now(), sign_count = :sign_count
    WHERE id = :id AND (sign_count < :sign_count OR greatest(sign_count, :sign_count) = 0)
    RETURNING true
""")


async def list_passkeys(db: Session, user: User) -> Sequence[Passkey]:
    """List a user's passkeys, the oldest first."""
    statement = select(Passkey).where(col(Passkey.user_id) == user.id).order_by(col(Passkey.id))
    return (await db.exec(statement)).all()


async def find_passkey(db: Session, ceremony: Ceremony, response: Response) -> tuple[Passkey, bytes]:
    """Use up the challenge that a response answers. Return it, and the passkey that the response names.

    The user handle is the user's id. Without it only those passkeys are found whose user the ceremony knows.

    Raises:
        BadPasskey: the challenge is not one of the ceremony, or was used before, or there is no such passkey, or it is
            another user's.

    """
    challenge = responses.read_challenge(response)
    if not await use_challenge(db, ceremony, challenge):
        raise errors.BadPasskey
    credential_id = responses.read_credential_id(response)
    passkey = (await db.exec(select(Passkey).where(col(Passkey.credential_id) == credential_id))).one_or_none()
    named = responses.read_user_handle(response) or (ceremony.user_id.bytes if ceremony.user_id else None)
    if passkey is None or passkey.user_id.bytes != named or ceremony.user_id not in {None, passkey.user_id}:
        raise errors.BadPasskey
    return passkey, challenge


async def verify(settings: Settings, passkey: Passkey, challenge: bytes, response: Response) -> Assertion:
    """Verify that a response proves a passkey, and that its authenticator verified the user.

    Raises:
        BadPasskey: it does not.

    """
    return await responses.verify_assertion(response, challenge, relying_party(settings), passkey.public_key)


async def count_use(db: Session, user: User, passkey: Passkey, assertion: Assertion) -> tuple[Method, ...]:
    """Store a use of a locked user's passkey, and return the methods that it proves.

    Raises:
        BadPasskey: the passkey has been used more often than its authenticator says, so there is a copy; or it was
            removed meanwhile. The user is told of a copy.

    """
    if not await COUNT_USE.run(db, id=passkey.id, sign_count=assertion.sign_count):
        if await db.get(Passkey, passkey.id, populate_existing=True):
            await report_change(db, user, Action.PASSKEY_CLONED, name=passkey.name)
        raise errors.BadPasskey
    return Method.SYNCED_KEY if assertion.backup_eligible else Method.HARDWARE_KEY, Method.USER_VERIFIED


async def begin(db: Session, settings: Settings, user: User, ceremony: Ceremony) -> dict[str, Any]:
    """Begin to prove one of a user's passkeys, and return the options.

    Raises:
        PasskeysUnavailable: no page could use them.
        BadSecondFactor: the user has no passkey.

    """
    party = relying_party(settings)
    allowed = await list_passkeys(db, user)
    if not allowed:
        raise errors.BadSecondFactor
    return request_options(party, await create_challenge(db, ceremony), allowed)


async def verify_assertion(
    db: Session, settings: Settings, user: User, response: Response, *, ceremony: Ceremony
) -> tuple[Method, ...]:
    """Verify the proof of a locked user's passkey for a ceremony, and return the methods that it proves.

    Raises:
        BadSecondFactor: it is wrong, was used before, or is not the user's.

    """
    try:
        passkey, challenge = await find_passkey(db, ceremony, response)
        assertion = await verify(settings, passkey, challenge, response)
        return await count_use(db, user, passkey, assertion)
    except errors.BadPasskey as error:
        raise errors.BadSecondFactor from error
