"""What is stored. Importing this package registers every table: Alembic and the mappers see what stands here."""

from accounts.models.audit import AuditEvent
from accounts.models.base import Base, Entity
from accounts.models.device import KnownDevice
from accounts.models.group import Membership, Role, UserGroup, Visibility
from accounts.models.invitation import Invitation
from accounts.models.outbox import MailKind, OutboxMail
from accounts.models.session import SessionKind, UserSession
from accounts.models.throttle import Throttle
from accounts.models.token import OneTimeToken, Purpose
from accounts.models.user import User

__all__ = [
    "AuditEvent",
    "Base",
    "Entity",
    "Invitation",
    "KnownDevice",
    "MailKind",
    "Membership",
    "OneTimeToken",
    "OutboxMail",
    "Purpose",
    "Role",
    "SessionKind",
    "Throttle",
    "User",
    "UserGroup",
    "UserSession",
    "Visibility",
]
