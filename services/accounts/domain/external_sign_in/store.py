"""External identities in the database."""

from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from accounts.db.session import Session
from accounts.domain.external_providers.provider import ExternalUser
from accounts.models import ExternalIdentity, User


def is_identity(external: ExternalUser) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a row is the identity that a provider has proven."""
    return col(ExternalIdentity.issuer) == external.issuer, col(ExternalIdentity.subject) == external.subject


async def add_identity(db: Session, user: User, provider: str, external: ExternalUser) -> bool:
    """Store an identity of a locked user, and return whether it was new.

    It is not stored if someone has this identity, or the user has another one of the same issuer.
    """
    values = {
        "user_id": user.id,
        "provider": provider,
        "issuer": external.issuer,
        "subject": external.subject,
        "email": external.email,
    }
    statement = insert(ExternalIdentity).values(**values).on_conflict_do_nothing()
    return bool((await db.exec(statement)).rowcount)
