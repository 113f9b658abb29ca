"""Texts of the pages: error messages for people, and the results of actions."""

from dataclasses import dataclass

from accounts.api.problems import Problem
from accounts.domain.identity import password_policy
from accounts.schemas.fields import PASSWORD_MAX_LENGTH
from accounts.schemas.second_factors import PROOFS
from accounts.translations import N_, Language

# What a page says after an action that led to it (``?done=…``).
DONE = {
    "session-ended": N_("The device was signed out."),
    "sessions-ended": N_("All other devices were signed out."),
    "group-created": N_("You've created %(name)s, and own it."),
    "group-left": N_("You've left %(name)s."),
    "group-handed-over": N_("You've handed over %(name)s."),
    "group-joined": N_("You've joined %(name)s."),
    "invitation-declined": N_("You've declined the invitation to %(name)s. We won't notify anyone."),
    "token-revoked": N_("You've revoked the access token %(name)s."),
    "role-changed": N_("The role was changed."),
    "member-removed": N_("The member was removed from the group."),
    "group-changed": N_("The settings of the group were changed."),
    "group-deleted": N_("The group was deleted."),
    "invitation-sent": N_("The invitation is on its way. The list says what has become of its email."),
    "invitation-resent": N_("The invitation is sent again, with a new link."),
    "invitation-revoked": N_("The invitation was revoked. Its link no longer works."),
    "profile-saved": N_("Your profile was saved."),
    "email-requested": N_(
        "We sent an email to the new address. Open the link in it to confirm the change. Nothing there? Check your "
        "spam folder."
    ),
    "email-change-cancelled": N_("You've cancelled the change. Your email address stays as it is."),
    "user-created": N_("The user was created."),
    "user-activated": N_("The user was activated."),
    "user-verified": N_("The email address counts as confirmed."),
    "password-required": N_("The password no longer works, and the user was signed out on all devices."),
    "user-signed-out": N_("The user was signed out on all devices."),
    "factors-reset": N_("The second factors were removed, and the user was signed out on all devices."),
    "key-revoked": N_("The access token was revoked."),
    "keys-revoked": N_("All access tokens of the user were revoked."),
    "superuser-granted": N_("The user is a superuser now."),
    "superuser-revoked": N_("The user is no longer a superuser."),
    "user-deactivated": N_("The user was deactivated, and signed out on all devices."),
    "user-deleted": N_("The user was deleted."),
    "link-sent": N_("The link will be sent by email in a moment."),
    "group-owner-added": N_("The user is now an owner of the group."),
    "mail-retried": N_("The worker sends it again within seconds. If it fails, it comes back here."),
    "mail-discarded": N_("The mail was deleted."),
    "mail-not-parked": N_("The mail isn't parked any more. Nothing was changed."),
}
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
_EMPTY = N_("Please fill in this field.")
_CHARACTERS = N_("This contains characters that aren't allowed.")
FIELD_MESSAGES = {
    "missing": _EMPTY,
    "string_too_short": _EMPTY,
    "invisible": _EMPTY,
    "string_too_long": N_("This is too long."),
    "own_email": N_("This is your email address already."),
    "language": N_("Choose one of the languages."),
    "email": N_("Enter an email address like name@example.com."),
    "string_pattern_mismatch": _CHARACTERS,
    "hidden_characters": _CHARACTERS,
}
# Refusals that are about one field.
REFUSED_FIELDS = {
    "BAD_CURRENT_PASSWORD": ("current_password", N_("This isn't your current password.")),
    "GROUP_NAME_TAKEN": ("name", N_("Another public group has this name. Choose a different one.")),
    "UPDATE_USER_EMAIL_ALREADY_EXISTS": ("email", N_("Another account now uses this email address.")),
    "ALREADY_MEMBER": ("email", N_("This person is a member of the group already.")),
    "INVITATION_EXISTS": ("email", N_("This person has an open invitation already. You can resend it below.")),
}
INVALID_FIELD = N_("This isn't valid.")


@dataclass(frozen=True, slots=True)
class Result:
    """The text of a page after an action, and the page that its button opens. A second one may lead to the sign-up."""

    title: str
    message: str
    button: str
    page: str = "/sign-in"
    offers_sign_up: bool = False


_SIGN_IN = N_("Sign in")
_BACK = N_("Back to sign-in")
_ACCOUNT = N_("Your account")
_SECURITY = N_("Security")
_CHECK_EMAIL = N_("Check your email")
_DEAD_LINK = N_("This link is no longer valid")
RESULTS = {
    "sign-up-sent": Result(
        _CHECK_EMAIL,
        N_(
            "We sent you an email with a link to choose a password and create your account. Nothing there? Check your "
            "spam folder."
        ),
        _BACK,
    ),
    "registered": Result(
        _CHECK_EMAIL,
        N_("We sent you an email with a link to confirm your address. Nothing there? Check your spam folder."),
        _BACK,
    ),
    "joined": Result(
        N_("Thank you"),
        N_(
            "Sign in to see your group. If you had an account with this email address before, sign in to it, and "
            "accept the invitation there."
        ),
        _SIGN_IN,
    ),
    "verified": Result(N_("Email address confirmed"), N_("Thank you. Your account is ready."), N_("Continue")),
    "email-confirmed": Result(
        N_("New email address confirmed"), N_("From now on, sign in with your new email address."), _SIGN_IN
    ),
    "email-undone": Result(
        N_("Your previous email address has been restored"),
        N_(
            "Your password no longer works, because the person who changed your address may know it. We sent you a "
            "link to choose a new one."
        ),
        _BACK,
    ),
    "sent": Result(
        _CHECK_EMAIL,
        N_("If this address has an account, we've sent a link to it. Nothing there? Check your spam folder."),
        _BACK,
    ),
    "reset": Result(
        N_("Your password has been changed"),
        N_("You've been signed out on all devices. Sign in with your new password."),
        _SIGN_IN,
    ),
    "password-changed": Result(
        N_("Your password has been changed"), N_("You've been signed out on all other devices."), _ACCOUNT, ""
    ),
    "app-removed": Result(
        N_("Your authenticator app has been removed"),
        N_("You've been signed out on all other devices."),
        N_("Security"),
        "/security",
    ),
    "accepted": Result(N_("Welcome"), N_("You've joined the group."), _ACCOUNT, ""),
    "declined": Result(N_("Invitation declined"), N_("We won't notify anyone."), _SIGN_IN),
    "account-deleted": Result(
        N_("Your account has been deleted"),
        N_("You're signed out on all devices."),
        _BACK,
    ),
    "signed-out": Result(N_("Signed out"), N_("You're signed out on this device."), N_("Sign in again")),
}
DEAD_LINKS = {
    "RESET_PASSWORD_BAD_TOKEN": Result(
        _DEAD_LINK,
        N_("It may have expired, been used, or been replaced by a newer one."),
        N_("Request a new link"),
        "/forgot-password",
    ),
    "REGISTER_BAD_TOKEN": Result(
        _DEAD_LINK,
        N_("It may have expired, been used, or been replaced by a newer one. Sign up again to get a new one."),
        N_("Create an account"),
        "/register",
    ),
    "VERIFY_USER_BAD_TOKEN": Result(
        _DEAD_LINK,
        N_("It may have expired, been used, or been replaced by a newer one. Sign in to request a new one."),
        _SIGN_IN,
    ),
    "CONFIRM_EMAIL_BAD_TOKEN": Result(
        _DEAD_LINK,
        N_("It may have expired, been used, or been replaced by a newer one. Sign in to see your email address."),
        _SIGN_IN,
    ),
    "UNDO_EMAIL_BAD_TOKEN": Result(
        _DEAD_LINK,
        N_("If you didn't change your email address yourself, contact the people who run this service."),
        _ACCOUNT,
        "",
    ),
    "MFA_BAD_TOKEN": Result(
        N_("Please sign in again"),
        N_("This sign-in took too long, or too many codes were wrong."),
        _SIGN_IN,
    ),
    "OAUTH_USER_ALREADY_EXISTS": Result(
        N_("You already have an account"),
        N_(
            "There is an account with your email address. Sign in to it as before, to show that it is yours. Then "
            "connect the account of the other provider."
        ),
        _SIGN_IN,
        "/sign-in?connect=true",
    ),
    "INVITATION_BAD_TOKEN": Result(
        N_("This invitation is no longer valid"),
        N_("It may have expired, or been answered or revoked. Ask for a new one, or continue without it."),
        _SIGN_IN,
        offers_sign_up=True,
    ),
}
_PAGE_NOT_FOUND = N_("Page not found")
_SOMETHING_WRONG = N_("Something went wrong")
_BUTTONS = {"ASSURANCE_REQUIRED": (_SECURITY, "/security"), "HOST_NOT_ALLOWED": ("", "")}
_TITLES = {
    403: N_("Not allowed"),
    404: N_("Not found"),
    429: N_("Too many attempts"),
    503: N_("Temporarily unavailable"),
}


def problem_result(problem: Problem, message: str) -> Result:
    """Return the page for a problem: a dead link has its own text; any other problem shows ``message``."""
    title = _PAGE_NOT_FOUND if problem.detail == "NOT_FOUND" else _TITLES.get(problem.status, _SOMETHING_WRONG)
    if MESSAGES.get(problem.detail) == CHECK_FIELDS:  # no field is shown
        _, message = REFUSED_FIELDS.get(problem.detail, ("", INVALID_REQUEST))
    button, page = _BUTTONS.get(problem.detail, (_ACCOUNT, ""))
    return DEAD_LINKS.get(problem.detail, Result(title, message, button, page))


def error_message(language: Language, problem: Problem, wait: str | None = None) -> str:
    """Describe a problem. ``wait`` says when to try again, such as "in 12 minutes"."""
    code = problem.detail
    if code == "TOO_MANY_ATTEMPTS" and wait:
        return language.gettext("Too many attempts. Please try again %(wait)s.") % {"wait": wait}
    return language.gettext(MESSAGES.get(code, UNKNOWN))


def field_messages(language: Language, problem: Problem, password_min_length: int) -> dict[str, str]:
    """Describe what is wrong with each field of a form."""
    if problem.detail in REFUSED_FIELDS:
        name, message = REFUSED_FIELDS[problem.detail]
        return {name: language.gettext(message)}
    if problem.detail.endswith("_INVALID_PASSWORD"):
        return {"password": _weakness(language, problem.reason or "", password_min_length)}
    if [error.type for error in problem.errors or ()] == ["one_proof"]:
        return dict.fromkeys(PROOFS, language.gettext(_EMPTY))
    return {
        str(error.loc[-1]): language.gettext(FIELD_MESSAGES.get(error.type, INVALID_FIELD))
        for error in problem.errors or ()
    }


def _weakness(language: Language, reason: str, password_min_length: int) -> str:
    """Translate a reason of the password policy."""
    limits = {"shortest": password_min_length, "longest": PASSWORD_MAX_LENGTH}
    messages = {message % limits: message for message in password_policy.WEAKNESSES}
    return language.gettext(messages.get(reason, reason)) % limits
