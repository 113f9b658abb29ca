"""Access tokens of service accounts (RFC 6749, 4.4): a client secret starts a short session, which is not refreshed.

The session's ``token_hash`` is that of the secret, so that revoking the secret ends its sessions. Its assurance level
is also the secret's: that of the session in which a person created it.
"""

import uuid
from collections.abc import Sequence
from datetime import timedelta

from uuid_utils.compat import uuid7

from accounts.db.session import RequestContext, Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.access_keys.secret import KeyKind
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.models import AccessKey, SessionKind, User

# Concurrent requests of one account do not wait for each other, but for its deactivation or deletion, and for the
# secret's. The account is locked first, as by the deletion.
START_SESSION = CompiledStatement(f"""
    WITH account AS (
        SELECT id FROM "user" WHERE id = :user_id AND is_active FOR SHARE
    ), secret AS (
        SELECT access_key.user_id, secret_hash, aal FROM access_key JOIN account ON account.id = access_key.user_id
        WHERE access_key.id = :key_id AND expires_at > now() FOR KEY SHARE OF access_key
    )
    INSERT INTO user_session (id, user_id, kind, token_hash, expires_at, user_agent, address, scopes, aal)
    SELECT CAST(:id AS uuid), user_id, '{SessionKind.SERVICE}', secret_hash, now() + CAST(:lifetime AS interval),
        :user_agent, :address, CAST(:scopes AS text[]), aal
    FROM secret
    RETURNING id
""")  # noqa: S608  # only a constant is interpolated


async def authenticate_client(db: Session, client_id: str, client_secret: str) -> tuple[User, AccessKey]:
    """Return an active service account and its usable secret, in one statement, and store the use of the secret.

    Raises:
        InvalidClient: there is no such account or secret, or it is expired or inactive.

    """
    found = await AccessKeyStore(db).find(client_secret, KeyKind.SERVICE)
    if found is None or str(found[0].id) != client_id:
        raise errors.InvalidClient
    return found


def granted_scopes(key: AccessKey, requested: str) -> Sequence[str]:
    """Return the scopes of a secret, or those of them that are requested, separated by blanks (RFC 6749, 3.3).

    Raises:
        InvalidScope: the secret does not have one that is requested.

    """
    scopes = requested.split()
    if not set(scopes) <= set(key.scopes):
        raise errors.InvalidScope
    return sorted(set(scopes)) or key.scopes


async def start_session(db: Session, key: AccessKey, scopes: Sequence[str], lifetime: timedelta) -> uuid.UUID:
    """Start a session of a service account for an access token, and return its id.

    Raises:
        InvalidClient: the secret was revoked, or the account deactivated or deleted, since it was authenticated.

    """
    context = db.context or RequestContext()
    started = await START_SESSION.run(
        db,
        id=uuid7(),
        user_id=key.user_id,
        key_id=key.id,
        lifetime=lifetime,
        user_agent=context.user_agent,
        address=context.client_ip,
        scopes=scopes,
    )
    if not started:
        raise errors.InvalidClient
    session_id: uuid.UUID = started[0].id
    return session_id
