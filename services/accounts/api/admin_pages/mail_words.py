"""The mail queue in words: kinds of mail, what happens to a mail, and what limits mail to an address."""

from accounts.domain.parked_mail import MailState
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import MailKind
from accounts.translations import N_

KINDS: dict[str, str] = {
    MailKind.SIGN_UP: N_("Complete your sign-up"),
    MailKind.VERIFY: N_("Confirm your email address"),
    MailKind.RESET: N_("Reset your password"),
    MailKind.SIGN_IN_CODE: N_("Your code to sign in"),
    MailKind.CONFIRM_EMAIL: N_("Confirm your new email address"),
    MailKind.EMAIL_CHANGED: N_("Your email address was changed"),
    MailKind.ACCOUNT_EXISTS: N_("You already have an account"),
    MailKind.INVITATION: N_("Invitation"),
    MailKind.NEW_SIGN_IN: N_("New sign-in to your account"),
    MailKind.PASSWORD_CHANGED: N_("Your password was changed"),
    MailKind.ROLE_CHANGED: N_("Your role has changed"),
    MailKind.SUPERUSER_CHANGED: N_("Your permissions have changed"),
    MailKind.SECURITY_CHANGED: N_("The sign-in to your account has changed"),
    MailKind.TOKEN_CREATED: N_("New access token for your account"),
    MailKind.TOKEN_EXPIRES: N_("An access token will expire soon"),
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
