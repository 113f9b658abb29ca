"""The database tables. Importing this package registers all of them with SQLAlchemy and Alembic."""

from accounts.models.access_keys import AccessKey, Scope
from accounts.models.audit import AuditEvent
from accounts.models.base import Base, Entity
from accounts.models.external_identities import AuthorizationPurpose, ExternalIdentity, PendingAuthorization
from accounts.models.figures import Figure, Period
from accounts.models.groups import GroupKey, Membership, Role, UserGroup, Visibility
from accounts.models.identity import Factor, OneTimeToken, PendingRegistration, Purpose, User
from accounts.models.invitations import Invitation
from accounts.models.mail import MailKind, OutboxMail
from accounts.models.mailed_codes import MailedCode
from accounts.models.member_imports import ImportStatus, MemberImport
from accounts.models.passkeys import CeremonyKind, Passkey, WebauthnChallenge
from accounts.models.rate_limits import Throttle
from accounts.models.second_factors import RecoveryCode, Totp
from accounts.models.sessions import KnownDevice, Method, PendingSignIn, SessionKind, UserSession

__all__ = [
    "AccessKey",
    "AuditEvent",
    "AuthorizationPurpose",
    "Base",
    "CeremonyKind",
    "Entity",
    "ExternalIdentity",
    "Factor",
    "Figure",
    "GroupKey",
    "ImportStatus",
    "Invitation",
    "KnownDevice",
    "MailKind",
    "MailedCode",
    "MemberImport",
    "Membership",
    "Method",
    "OneTimeToken",
    "OutboxMail",
    "Passkey",
    "PendingAuthorization",
    "PendingRegistration",
    "PendingSignIn",
    "Period",
    "Purpose",
    "RecoveryCode",
    "Role",
    "Scope",
    "SessionKind",
    "Throttle",
    "Totp",
    "User",
    "UserGroup",
    "UserSession",
    "Visibility",
    "WebauthnChallenge",
]
