"""Pages that say what an action did, that a link is dead, or what a problem is."""

from dataclasses import dataclass

from accounts.api.account_pages.field_messages import REFUSED_FIELDS
from accounts.api.account_pages.messages import CHECK_FIELDS, INVALID_REQUEST, MESSAGES
from accounts.api.problems import Problem
from accounts.translations import N_


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
