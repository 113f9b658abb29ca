"""Texts of the codes of problems. What a page says after an action is in its own module (``DONE``)."""

from accounts.api.problems import Problem
from accounts.translations import N_, Language

CHECK_FIELDS = N_("Please check the fields marked below.")
UNAVAILABLE = N_("The service is temporarily unavailable. Please try again in a few seconds.")
UNKNOWN = N_("Something went wrong. Nothing was changed.")
INVALID_REQUEST = N_("Something in this request isn't valid. Nothing was changed.")
UNREADABLE = N_("Your browser sent something that this page can't read. Nothing was changed.")
NOT_FOR_PROGRAMS = N_("These pages are for people: programs use the API.")
MESSAGES = {
    "LOGIN_BAD_CREDENTIALS": N_("That email address and password don't match."),
    "LOGIN_BAD_CODE": N_("That code is wrong or no longer works. Check it, or request another one."),
    "SIGN_IN_BY_CODE_DISABLED": N_("You can't sign in with a code here."),
    "REGISTER_INVALID_PASSWORD": CHECK_FIELDS,
    "RESET_PASSWORD_INVALID_PASSWORD": CHECK_FIELDS,
    "UPDATE_USER_INVALID_PASSWORD": CHECK_FIELDS,
    "BAD_CURRENT_PASSWORD": CHECK_FIELDS,
    "REQUEST_INVALID": CHECK_FIELDS,
    "BAD_PASSKEY": N_("The passkey wasn't accepted. Please try again."),
    "PASSKEYS_UNAVAILABLE": N_("Passkeys can't be used here, because this service isn't served over HTTPS."),
    "PASSKEY_EXISTS": N_("This passkey has been added already."),
    "PASSKEY_NOT_FOUND": N_("This passkey has been removed already."),
    "TOO_MANY_PASSKEYS": N_("You can't have more passkeys. Please remove one first."),
    "LAST_WAY_IN": N_("You couldn't sign in without it. Choose a password first, or add another way to sign in."),
    "REGISTER_CLOSED": N_("New accounts are created by the people who run this service."),
    "REGISTER_INVITATION_REQUIRED": N_("New accounts need an invitation."),
    "REGISTER_USER_ALREADY_EXISTS": N_("This email address has an account already. Please sign in."),
    "UPDATE_USER_EMAIL_ALREADY_EXISTS": N_("Another account now uses this email address."),
    "INVITATION_OTHER_ADDRESS": N_("This invitation was sent to a different email address than your account's."),
    "BAD_SECOND_FACTOR": N_("This code is wrong or has been used already. Please try another one."),
    "FACTOR_UNAVAILABLE": N_("Your authenticator app can't be checked right now. Please use a recovery code."),
    "TOTP_EXISTS": N_("Your account has an authenticator app already."),
    "NO_SECOND_FACTOR": N_("Recovery codes are for accounts with a second factor. Please add one first."),
    "OAUTH_DENIED": N_("You cancelled the sign-in at the other provider, or it was declined there."),
    "OAUTH_INVALID_STATE": N_("This sign-in has expired, or began in another browser. Please try again."),
    "OAUTH_INVALID_RESPONSE": N_("The response of the other provider can't be used. Please try again."),
    "OAUTH_PROVIDER_UNAVAILABLE": N_(
        "The other provider can't be reached right now. Please try again later, or sign in another way."
    ),
    "OAUTH_NOT_AVAILABLE_EMAIL": N_(
        "Your account at the other provider has no email address that an account here can have."
    ),
    "OAUTH_EMAIL_UNVERIFIED": N_(
        "Your email address isn't confirmed at the other provider. Confirm it there, or sign in another way."
    ),
    "OAUTH_SIGN_UP_CLOSED": N_(
        "No account here is connected with this one. If you have an account here, sign in to it, and connect them."
    ),
    "OAUTH_IDENTITY_TAKEN": N_(
        "The account at the other provider is connected with a different account here, or yours with another one there."
    ),
    "EMAIL_CHANGE_NOT_FOUND": N_(
        "No change of your email address is waiting any more: it was confirmed or cancelled, or it has expired."
    ),
    "VERIFIED_EMAIL_REQUIRED": N_("Please confirm your email address first."),
    "ASSURANCE_REQUIRED": N_("This needs a second factor. Add one to your account, or sign in again with it."),
    "LAST_SUPERUSER": N_("This is the last active superuser. Grant superuser rights to another user first."),
    "EMAIL_UNDO_OPEN": N_("The change of the email address can still be undone. Delete the account after that."),
    "GROUP_FORBIDDEN": N_("Your role in this group doesn't allow this."),
    "GROUP_NAME_TAKEN": CHECK_FIELDS,
    "TOO_MANY_KEYS": N_("You can't have more access tokens. Please revoke one first."),
    "TOKEN_NOT_FOUND": N_("This access token has been revoked already."),
    "SCOPE_REQUIRES_SUPERUSER": N_("Only superusers can create tokens that may do this."),
    "GROUP_NOT_FOUND": N_("This group doesn't exist, or you can't see it."),
    "MEMBER_NOT_FOUND": N_("This user isn't a member of the group, or has been removed already."),
    "LAST_OWNER": N_("A group needs an active owner. Give another member the owner role first."),
    "USER_INACTIVE": N_("This account is deactivated, so it can't own a group."),
    "NOT_FOR_SERVICE_ACCOUNTS": N_("A service account can't own a group."),
    "BAD_CURSOR": N_("This part of the list doesn't exist any more. Open the list from its beginning."),
    "ALREADY_MEMBER": CHECK_FIELDS,
    "INVITATION_EXISTS": CHECK_FIELDS,
    "INVITATION_NOT_FOUND": N_("This invitation isn't open any more: it was answered or revoked, or it has expired."),
    "IMPORT_INVALID": N_("The file has lines that can't be imported. Nothing was changed."),
    "TOO_MANY_INVITATIONS": N_("The file invites more people than you may invite in a day. Please split it."),
    "IMPORT_IN_PROGRESS": N_("Another import of yours, or into this group, is in progress. Please try again shortly."),
    "CROSS_SITE": N_("This form was sent from another site. Nothing was changed. Open the page again and repeat."),
    "HOST_NOT_ALLOWED": N_(
        "This service has a different address. Check the address in your browser. If you run this service: PUBLIC_URL "
        "or ALLOWED_HOSTS has to name this host."
    ),
    "BAD_REQUEST": UNREADABLE,
    "UNSUPPORTED_MEDIA_TYPE": UNREADABLE,
    "NOT_WITH_A_KEY": NOT_FOR_PROGRAMS,
    "INSUFFICIENT_SCOPE": NOT_FOR_PROGRAMS,
    "CONFLICT": N_("Someone else changed this at the same time, so nothing was saved. Open the page again and repeat."),
    "INVALID_VALUE": INVALID_REQUEST,
    "TOTP_NOT_FOUND": N_("Your account has no authenticator app, or setting it up took too long. Please begin again."),
    "IDENTITY_NOT_FOUND": N_("This account has been disconnected already."),
    "OAUTH_PROVIDER_NOT_FOUND": N_("You can't sign in with this provider here."),
    "OAUTH_BAD_RETURN_TO": INVALID_REQUEST,
    "VERIFY_USER_ALREADY_VERIFIED": N_("Your email address is confirmed already."),
    "CONTENT_TOO_LARGE": N_("This is too long. Nothing was changed."),
    "REQUEST_TIMEOUT": N_("Your browser took too long to send this. Please try again."),
    "TOO_MANY_ATTEMPTS": N_("Too many attempts. Please wait and try again."),
    "BUSY": N_("Many people are signing in right now. Please try again in a few seconds."),
    "NOT_FOUND": N_("This page doesn't exist. Please check the address."),
    "METHOD_NOT_ALLOWED": N_("This page can't do that."),
    "SERVICE_UNAVAILABLE": UNAVAILABLE,
    "NOT_READY": UNAVAILABLE,
    "USER_NOT_FOUND": N_("This user doesn't exist, or was deleted."),
    "SESSION_NOT_FOUND": N_("This session has ended already."),
}


def error_message(language: Language, problem: Problem, wait: str | None = None) -> str:
    """Describe a problem. ``wait`` says when to try again, such as "in 12 minutes"."""
    code = problem.detail
    if code == "TOO_MANY_ATTEMPTS" and wait:
        return language.gettext("Too many attempts. Please try again %(wait)s.") % {"wait": wait}
    return language.gettext(MESSAGES.get(code, UNKNOWN))
