"""An unverified account may belong to a stranger who signed up with an address of someone else, and waits there.

So the owner of the mailbox gets it without any of the stranger's ways in (Sudhodanan and Paverd, "Pre-hijacked
accounts", USENIX Security 2022).
"""

from accounts.db.session import Session
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.identity import one_time_tokens
from accounts.domain.identity.second_factors import delete_factors
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.mail import outbox
from accounts.domain.sessions.sessions import SessionManager
from accounts.domain.ways_in import delete_identities
from accounts.models import MailKind, User
from accounts.settings import Settings


def may_be_of_a_stranger(user: User) -> bool:
    """Return whether no email address of a user was ever proven."""
    return not (user.is_verified or user.verified_before)


async def delete_other_ways_in(db: Session, user: User) -> None:
    """Delete the second factors of a locked user, and the accounts at other providers."""
    await delete_identities(db, user)
    await delete_factors(db, user)


async def claim(db: Session, settings: Settings, user: User) -> None:
    """Verify the email address of a locked user for the owner of the mailbox, who has proven it without the password.

    The password, all other ways in and factors, the sessions, the access keys and the mailed tokens end. A notice says
    so, if there was a password. Users who had a verified address before keep all of it: they are no strangers.
    """
    if not may_be_of_a_stranger(user):
        await UserAdapter(db).update(user, {"is_verified": True})
        return
    had_password = user.hashed_password != UNUSABLE
    await UserAdapter(db).update(user, {"is_verified": True, "hashed_password": UNUSABLE})
    await one_time_tokens.revoke_tokens(db, user)
    await SessionManager(db, settings).revoke_all(user)
    await AccessKeyStore(db).revoke_all(user)
    await delete_other_ways_in(db, user)
    if had_password:
        detail = {"change": "account_claimed", "factor_name": "", "address": db.client_ip}
        await outbox.enqueue_notice(db, MailKind.SECURITY_CHANGED, user, **detail)
