"""The page of the profile: name, language and email address, and the form that changes the address."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator
from starlette.responses import Response

from accounts.api.account_pages.forms import kept_values
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import EmailChangeDep, FactorManagerDep, UserManagerDep
from accounts.api.languages import forget_language, remember_language
from accounts.api.rate_limits import EmailChangeLimitDep, SenderLimitDep
from accounts.api.routes.identity import email_change
from accounts.models import User
from accounts.schemas.fields import DisplayName, LanguageTag
from accounts.schemas.identity.auth import EmailInput
from accounts.schemas.identity.users import UserUpdate
from accounts.translations import N_, list_languages

router = APIRouter(prefix=PATH)
NAV = (NavItem("/profile", N_("Profile"), N_("Your name, language and email address.")),)
DONE = {
    "profile-saved": N_("Your profile was saved."),
    "email-requested": N_(
        "We sent an email to the new address. Open the link in it to confirm the change. Nothing there? Check your "
        "spam folder."
    ),
    "email-change-cancelled": N_("You've cancelled the change. Your email address stays as it is."),
}


BROWSER = "browser"  # the value of the field that stands for no language of one's own


def _browser_to_none(value: Any) -> Any:
    return None if value == BROWSER else value


class ProfileForm(BaseModel):
    """The name, and the language. It is required, so that an empty request changes nothing."""

    display_name: DisplayName = ""
    language: Annotated[LanguageTag | None, BeforeValidator(_browser_to_none)]


async def get_profile_user(request: Request, user: CurrentUser, changes: EmailChangeDep) -> User:
    """Return the user, and set what the page of the profile shows."""
    kept_values(request).update(
        display_name=user.display_name,
        own_language=user.language,
        browser=BROWSER,
        language_choices=[(language.tag, language.name) for language in list_languages()],
        address=user.email,
        is_verified=user.is_verified,
        pending=await changes.pending(user),
    )
    return user


ProfileUser = Annotated[User, Depends(get_profile_user)]


@router.get("/profile")
async def profile_page(request: Request, _: ProfileUser) -> Response:
    """Show the profile."""
    return render_page(request, "profile")


@router.post("/profile")
async def update_profile(
    form: Annotated[ProfileForm, Form()], user: ProfileUser, current: CurrentSession, users: UserManagerDep
) -> Response:
    """Change the name and the language. The browser forgets another language that was chosen in it."""
    await users.update(UserUpdate(**form.model_dump()), user, current)
    response = redirect("/profile", done="profile-saved")
    if form.language:
        remember_language(response, form.language)
    else:
        forget_language(response)
    return response


@router.post("/profile/resend-email-change")
async def resend_email_change(
    user: CurrentUser, changes: EmailChangeDep, check_sender: SenderLimitDep, check_email_limit: EmailChangeLimitDep
) -> Response:
    """Send another link to the new address."""
    await email_change.resend_email_change(user, changes, check_sender, check_email_limit)
    return redirect("/profile", done="email-requested")


@router.post("/profile/cancel-email-change")
async def cancel_email_change(user: CurrentUser, changes: EmailChangeDep) -> Response:
    """Keep the address: the link that was sent to the new one stops working."""
    await changes.cancel(user)
    return redirect("/profile", done="email-change-cancelled")


async def keep_address(request: Request, user: CurrentUser) -> None:
    """Set the address that the form changes."""
    kept_values(request)["address"] = user.email


@router.get("/change-email", dependencies=[Depends(keep_address)])
async def change_email_page(request: Request, current: CurrentSession, factors: FactorManagerDep) -> Response:
    """Show the form that changes the email address. The user confirms who they are first."""
    await factors.require_recent(current)
    return render_page(request, "change-email")


@router.post("/change-email", dependencies=[Depends(keep_address)])
async def change_email(
    form: Annotated[EmailInput, Form()],
    user: CurrentUser,
    current: CurrentSession,
    users: UserManagerDep,
    check_sender: SenderLimitDep,
    check_email_limit: EmailChangeLimitDep,
) -> Response:
    """Send a link to the new address. The response is the same if another account has it."""
    if form.email == user.email:
        raise RequestValidationError([{"type": "own_email", "loc": ("body", "email"), "msg": "Email unchanged"}])
    await check_sender(user)
    await check_email_limit(form.email)
    await users.update(UserUpdate(email=form.email), user, current)
    return redirect("/profile", done="email-requested")
