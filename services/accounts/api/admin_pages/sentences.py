"""The actions of the audit log in words: a name for the filter, and a sentence about the user and the group."""

from collections.abc import Sequence
from typing import NamedTuple

from accounts.domain.audit.log import Action
from accounts.models import AuditEvent
from accounts.translations import N_


class Words(NamedTuple):
    """The name of an action, and what happened, with the names of the user and the group and values of the detail."""

    name: str
    sentence: str


WORDS: dict[str, Words] = {
    Action.SESSION_STARTED: Words(N_("Signed in"), N_("%(user)s signed in")),
    Action.SESSION_REFUSED: Words(N_("Sign-in refused"), N_("A sign-in as %(user)s was refused")),
    Action.SESSION_ELEVATED: Words(N_("Sign-in confirmed again"), N_("%(user)s confirmed the sign-in again")),
    Action.SECOND_FACTOR_REFUSED: Words(N_("Second factor refused"), N_("A second factor of %(user)s was refused")),
    Action.SESSION_ENDED: Words(N_("Signed out"), N_("%(user)s was signed out on one device")),
    Action.SESSIONS_REVOKED: Words(
        N_("Signed out on several devices"), N_("%(user)s was signed out, number of devices: %(count)s")
    ),
    Action.REFRESH_REUSED: Words(
        N_("Refresh token used twice"), N_("A refresh token of %(user)s was used twice: the session was ended")
    ),
    Action.TOKEN_CREATED: Words(N_("Access token created"), N_("An access token of %(user)s was created")),
    Action.TOKEN_REVOKED: Words(N_("Access token revoked"), N_("An access token of %(user)s was revoked")),
    Action.TOKENS_REVOKED: Words(
        N_("All access tokens revoked"), N_("All access tokens of %(user)s were revoked: %(count)s")
    ),
    Action.USER_CREATED: Words(N_("Account created"), N_("The account of %(user)s was created")),
    Action.USER_CHANGED: Words(N_("Account changed"), N_("The account of %(user)s was changed")),
    Action.USER_DELETED: Words(N_("Account deleted"), N_("The account of %(user)s was deleted")),
    Action.TOTP_ADDED: Words(N_("Authenticator app added"), N_("An authenticator app of %(user)s was added")),
    Action.TOTP_REMOVED: Words(N_("Authenticator app removed"), N_("The authenticator app of %(user)s was removed")),
    Action.RECOVERY_CODES_CREATED: Words(
        N_("Recovery codes created"), N_("New recovery codes of %(user)s were created")
    ),
    Action.RECOVERY_CODE_USED: Words(N_("Recovery code used"), N_("A recovery code of %(user)s was used")),
    Action.PASSKEY_ADDED: Words(N_("Passkey added"), N_("The passkey %(name)s of %(user)s was added")),
    Action.PASSKEY_REMOVED: Words(N_("Passkey removed"), N_("The passkey %(name)s of %(user)s was removed")),
    Action.PASSKEY_CLONED: Words(N_("Passkey copied"), N_("The passkey %(name)s of %(user)s may have been copied")),
    Action.IDENTITY_LINKED: Words(
        N_("Account at a provider connected"), N_("An account at %(name)s was connected with that of %(user)s")
    ),
    Action.IDENTITY_UNLINKED: Words(
        N_("Account at a provider disconnected"), N_("An account at %(name)s was disconnected from that of %(user)s")
    ),
    Action.FACTORS_RESET: Words(N_("Second factors reset"), N_("All second factors of %(user)s were deleted")),
    Action.PASSWORD_CHANGED: Words(N_("Password changed"), N_("The password of %(user)s was changed")),
    Action.PASSWORD_REQUIRED: Words(N_("New password required"), N_("A new password was required of %(user)s")),
    Action.LINK_SENT: Words(N_("Link sent by a superuser"), N_("A link was sent to %(user)s")),
    Action.EMAIL_CHANGED: Words(N_("Email address changed"), N_("The email address of %(user)s was changed")),
    Action.GROUP_CREATED: Words(N_("Group created"), N_("The group %(group)s was created")),
    Action.GROUP_CHANGED: Words(N_("Group changed"), N_("The group %(group)s was changed")),
    Action.GROUP_DELETED: Words(N_("Group deleted"), N_("The group %(group)s was deleted")),
    Action.MEMBERSHIP_CREATED: Words(N_("Member added"), N_("%(user)s joined %(group)s as %(role)s")),
    Action.MEMBERSHIP_CHANGED: Words(
        N_("Role changed"), N_("The role of %(user)s in %(group)s was changed from %(was)s to %(role)s")
    ),
    Action.MEMBERSHIP_DELETED: Words(N_("Member removed"), N_("%(user)s left %(group)s, or was removed")),
    Action.INVITATION_CREATED: Words(N_("Invitation sent"), N_("An invitation to %(group)s as %(role)s was sent")),
    Action.INVITATION_RESENT: Words(N_("Invitation sent again"), N_("An invitation to %(group)s was sent again")),
    Action.INVITATION_REVOKED: Words(N_("Invitation revoked"), N_("An invitation to %(group)s was revoked")),
    Action.INVITATION_ACCEPTED: Words(
        N_("Invitation accepted"), N_("%(user)s accepted an invitation to %(group)s as %(role)s")
    ),
    Action.INVITATION_DECLINED: Words(N_("Invitation declined"), N_("An invitation to %(group)s was declined")),
    Action.MEMBERS_IMPORTED: Words(N_("Members imported"), N_("Members of %(group)s were imported from a file")),
    Action.SERVICE_ACCOUNT_CREATED: Words(
        N_("Service account created"), N_("The service account %(user)s of %(group)s was created")
    ),
    Action.SERVICE_ACCOUNT_CHANGED: Words(
        N_("Service account changed"), N_("The service account %(user)s of %(group)s was changed")
    ),
    Action.SERVICE_ACCOUNT_DELETED: Words(
        N_("Service account deleted"), N_("The service account %(user)s of %(group)s was deleted")
    ),
    Action.SECRET_CREATED: Words(
        N_("Secret created"), N_("A secret of the service account %(user)s of %(group)s was created")
    ),
    Action.SECRET_REVOKED: Words(
        N_("Secret revoked"), N_("A secret of the service account %(user)s of %(group)s was revoked")
    ),
    Action.USERS_IMPORTED: Words(N_("Users imported"), N_("Users were imported from a file")),
    Action.MAIL_RETRIED: Words(N_("Parked mail sent again"), N_("Parked mail was queued again, mails: %(count)s")),
    Action.MAIL_DISCARDED: Words(N_("Parked mail discarded"), N_("A parked mail was discarded")),
    Action.SAMPLE_USERS_DELETED: Words(N_("Sample users deleted"), N_("The sample users were deleted")),
    Action.PRUNED: Words(N_("Expired data deleted"), N_("Expired data was deleted")),
}
# What a change of an account was, by the flag that it set.
CHANGES = {
    ("is_active", False): N_("The account of %(user)s was deactivated"),
    ("is_active", True): N_("The account of %(user)s was activated"),
    ("is_superuser", True): N_("%(user)s became a superuser"),
    ("is_superuser", False): N_("%(user)s is no longer a superuser"),
    ("is_verified", True): N_("The email address of %(user)s was confirmed"),
}
ROLES = {"owner": N_("owner"), "admin": N_("admin"), "member": N_("member")}


def sentences_of(event: AuditEvent) -> Sequence[str]:
    """Return what happened in an event, to translate. An action of a later release has only its name."""
    words = WORDS.get(event.action)
    sentence = words.sentence if words else event.action.replace("%", "%%")
    changes = [text for change, text in CHANGES.items() if change in event.detail.items()]
    if event.action == Action.USER_CHANGED and changes:
        return changes
    if event.action == Action.USER_CREATED and event.detail.get("is_superuser"):
        return [sentence, CHANGES["is_superuser", True]]
    return [sentence]
