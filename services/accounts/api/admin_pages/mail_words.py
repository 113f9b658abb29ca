"""The mail queue in words: kinds of mail, what happens to a mail, and what limits mail to an address."""

from datetime import UTC, datetime
from typing import Any

from accounts.domain.parked_mail import MailState, can_be_sent_now, state_of
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import MailKind
from accounts.translations import N_

KINDS: dict[str, str] = {
    MailKind.SIGN_UP: N_("Finish the sign-up"),
    MailKind.VERIFY: N_("Confirm the email address"),
    MailKind.RESET: N_("Choose a new password"),
    MailKind.SIGN_IN_CODE: N_("Code to sign in"),
    MailKind.CONFIRM_EMAIL: N_("Confirm the new email address"),
    MailKind.EMAIL_CHANGED: N_("The email address was changed"),
    MailKind.ACCOUNT_EXISTS: N_("The address has an account already"),
    MailKind.INVITATION: N_("Invitation to a group"),
    MailKind.NEW_SIGN_IN: N_("New sign-in"),
    MailKind.PASSWORD_CHANGED: N_("The password was changed"),
    MailKind.ROLE_CHANGED: N_("The role in a group was changed"),
    MailKind.SUPERUSER_CHANGED: N_("The superuser rights were changed"),
    MailKind.SECURITY_CHANGED: N_("The security settings were changed"),
    MailKind.TOKEN_CREATED: N_("An access token was created"),
    MailKind.TOKEN_EXPIRES: N_("An access token expires"),
}
STATES = {
    MailState.DUE: N_("Waits for the worker"),
    MailState.SENDING: N_("Is being sent"),
    MailState.RETRYING: N_("Will be tried again"),
    MailState.POSTPONED: N_("Postponed: the address has received many mails"),
    MailState.PARKED: N_("Parked: it is not tried again"),
}
# Names of limits that are no kind of mail.
LIMITS: dict[str, str] = {
    "others": N_("Invitations and changed roles"),
    Attempt.REGISTER: N_("Sign-ups with this address"),
    Attempt.FORGOT_PASSWORD: N_("Requests to reset the password"),
    Attempt.REQUEST_VERIFY: N_("Requests to confirm the address"),
    Attempt.CHANGE_EMAIL: N_("Changes to this address"),
    Attempt.CODE_REQUEST: N_("Requests of a code to sign in"),
}


def limit_name(name: str) -> str:
    """Return the text for a limit, to translate."""
    return LIMITS.get(name) or KINDS.get(name, name)


def mail_words() -> dict[str, Any]:
    """Return what templates say about mail with: the texts of kinds, that of a state, and if a mail can be sent now."""
    now = datetime.now(UTC)
    return {
        "mail_kinds": KINDS,
        "mail_state": lambda mail: STATES[state_of(mail, now)],
        "can_be_sent_now": lambda mail: can_be_sent_now(mail, now),
    }
