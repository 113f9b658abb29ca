"""Events of the audit log in words, as their users see them."""

from collections.abc import Sequence
from typing import NamedTuple

from accounts.domain.audit.log import Action
from accounts.schemas.audit import PersonalEvent
from accounts.translations import N_


class EventText(NamedTuple):
    """An event in words, to translate: a sentence, and what it was about."""

    sentence: str
    details: Sequence[str] = ()


# What happened to the user.
SENTENCES: dict[str, str] = {
    Action.SESSION_STARTED: N_("Signed in"),
    Action.SESSION_REFUSED: N_("Sign-in refused"),
    Action.SESSION_ELEVATED: N_("Sign-in confirmed again"),
    Action.SECOND_FACTOR_REFUSED: N_("Second factor refused"),
    Action.SESSION_ENDED: N_("Signed out on a device"),
    Action.SESSIONS_REVOKED: N_("Signed out on several devices"),
    Action.REFRESH_REUSED: N_("Signed out on a device, because a copy of its sign-in was used"),
    Action.TOKEN_CREATED: N_("Access token created"),
    Action.TOKEN_REVOKED: N_("Access token revoked"),
    Action.TOKENS_REVOKED: N_("All access tokens revoked"),
    Action.USER_CREATED: N_("Account created"),
    Action.USER_CHANGED: N_("Account changed"),
    Action.USER_DELETED: N_("Account deleted"),
    Action.TOTP_ADDED: N_("Authenticator app added"),
    Action.TOTP_REMOVED: N_("Authenticator app removed"),
    Action.RECOVERY_CODES_CREATED: N_("Recovery codes created"),
    Action.RECOVERY_CODE_USED: N_("Recovery code used"),
    Action.PASSKEY_ADDED: N_("Passkey added"),
    Action.PASSKEY_REMOVED: N_("Passkey removed"),
    Action.PASSKEY_CLONED: N_("A copy of a passkey may exist"),
    Action.IDENTITY_LINKED: N_("Account of another provider connected"),
    Action.IDENTITY_UNLINKED: N_("Account of another provider disconnected"),
    Action.FACTORS_RESET: N_("All second factors removed"),
    Action.PASSWORD_CHANGED: N_("Password changed"),
    Action.PASSWORD_REQUIRED: N_("New password required"),
    Action.LINK_SENT: N_("Link sent by email"),
    Action.EMAIL_CHANGED: N_("Email address changed"),
    Action.GROUP_CREATED: N_("Group created"),
    Action.GROUP_CHANGED: N_("Group changed"),
    Action.GROUP_DELETED: N_("Group deleted"),
    Action.MEMBERSHIP_CREATED: N_("Became a member of a group"),
    Action.MEMBERSHIP_CHANGED: N_("Role in a group changed"),
    Action.MEMBERSHIP_DELETED: N_("Membership of a group ended"),
    Action.INVITATION_CREATED: N_("Invitation to a group sent"),
    Action.INVITATION_RESENT: N_("Invitation to a group sent again"),
    Action.INVITATION_REVOKED: N_("Invitation to a group revoked"),
    Action.INVITATION_ACCEPTED: N_("Invitation to a group accepted"),
    Action.INVITATION_DECLINED: N_("Invitation to a group declined"),
    Action.MEMBERS_IMPORTED: N_("Members of a group imported"),
    Action.SERVICE_ACCOUNT_CREATED: N_("Service account created"),
    Action.SERVICE_ACCOUNT_CHANGED: N_("Service account changed"),
    Action.SERVICE_ACCOUNT_DELETED: N_("Service account deleted"),
    Action.SECRET_CREATED: N_("Secret of a service account created"),
    Action.SECRET_REVOKED: N_("Secret of a service account revoked"),
    Action.MAIL_RETRIED: N_("Mail sent again"),
    Action.MAIL_DISCARDED: N_("Mail discarded"),
    Action.USERS_IMPORTED: N_("Users imported"),
    Action.SAMPLE_USERS_DELETED: N_("Sample users deleted"),
    Action.PRUNED: N_("Old data deleted"),
}
# What the user did to another one, where the sentence differs.
ABOUT_OTHERS: dict[str, str] = {
    Action.SESSION_ENDED: N_("Signed another user out on a device"),
    Action.SESSIONS_REVOKED: N_("Signed another user out"),
    Action.TOKEN_REVOKED: N_("Access token of another user revoked"),
    Action.TOKENS_REVOKED: N_("All access tokens of another user revoked"),
    Action.USER_CREATED: N_("User created"),
    Action.USER_CHANGED: N_("User changed"),
    Action.USER_DELETED: N_("User deleted"),
    Action.FACTORS_RESET: N_("All second factors of another user removed"),
    Action.PASSWORD_CHANGED: N_("Password of another user changed"),
    Action.PASSWORD_REQUIRED: N_("New password required of another user"),
    Action.LINK_SENT: N_("Link sent to another user by email"),
    Action.EMAIL_CHANGED: N_("Email address of another user changed"),
    Action.MEMBERSHIP_CREATED: N_("Member added to a group"),
    Action.MEMBERSHIP_CHANGED: N_("Role of a member of a group changed"),
    Action.MEMBERSHIP_DELETED: N_("Member removed from a group"),
}
# What ``changed`` names in the detail of an event.
FIELDS = {
    "display_name": N_("Name"),
    "language": N_("Language"),
    "is_active": N_("Account active or deactivated"),
    "is_superuser": N_("Superuser"),
    "is_verified": N_("Email address confirmed"),
    "name": N_("Name"),
    "description": N_("Description"),
    "visibility": N_("Visibility"),
    "required_aal": N_("Required second factor"),
}
UNKNOWN = N_("Something else happened")  # of another version


def describe_event(event: PersonalEvent) -> EventText:
    """Describe an event to a user who caused it or was affected by it."""
    sentences = SENTENCES if event.to_me else SENTENCES | ABOUT_OTHERS
    changed = event.detail.get("changed", ())
    details = sorted({FIELDS[name] for name in changed if name in FIELDS})
    return EventText(sentences.get(event.action, UNKNOWN), details)
