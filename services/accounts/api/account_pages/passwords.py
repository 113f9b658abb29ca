"""Pages to change a password, and to reset a forgotten one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.forms import kept_values, missing_field
from accounts.api.account_pages.paths import PATH, NextPage
from accounts.api.account_pages.redirects import redirect_to_result
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import FactorManagerDep, PasswordResetDep, UserManagerDep
from accounts.api.rate_limits import PasswordLimitDep, ResetAttemptsDep, limit_by_client, limit_by_email
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.fields import OpaqueToken, Password
from accounts.schemas.identity.auth import EmailInput, PasswordResetInput
from accounts.schemas.identity.users import UserUpdate

router = APIRouter(prefix=PATH)


class ForgottenForm(EmailInput):
    """The email address, and what the sign-in continues with afterwards."""

    invitation: OpaqueToken | None = None
    next: NextPage = ""


class PasswordChangeForm(BaseModel):
    """The new password and, of users without a second factor, the current one."""

    current_password: Password | None = None
    password: Password


@router.get("/forgot-password")
async def forgot_password_page(request: Request) -> Response:
    """Show the form that requests a reset link."""
    return render_page(request, "forgot-password")


@router.post("/forgot-password", dependencies=[limit_by_email(Attempt.FORGOT_PASSWORD, form=True)])
async def forgot_password(form: Annotated[ForgottenForm, Form()], resets: PasswordResetDep) -> Response:
    """Send a reset link if an account has the email address. The response is the same either way."""
    await resets.request(form.email)
    return redirect_to_result("sent", invitation=form.invitation, next=form.next or None)


@router.get("/reset-password")
async def reset_password_page(request: Request, resets: PasswordResetDep, token: str = "") -> Response:
    """Show the form that sets a new password, with the user's email address for password managers.

    It reveals nothing: who holds the token can set the password, and the link was sent to this address.
    """
    username = (await resets.find_user(token)).email if token else ""
    return render_page(request, "reset-password", username=username)


@router.post("/reset-password", dependencies=[limit_by_client(Attempt.RESET_PASSWORD)])
async def reset_password(
    form: Annotated[PasswordResetInput, Form()], resets: PasswordResetDep, reset_attempts: ResetAttemptsDep
) -> Response:
    """Set a new password."""
    user = await resets.reset(form.token, form.password)
    await reset_attempts(user.email)
    return redirect_to_result("reset")


async def keep_asked(request: Request, user: CurrentUser) -> None:
    """Set whether the form asks for the current password, or a user without one needs a mailed link."""
    has_password = user.hashed_password != UNUSABLE
    has_factor = bool(user.second_factors)
    kept_values(request).update(asks_password=not has_factor, needs_link=not (has_password or has_factor))


@router.get("/change-password", dependencies=[Depends(keep_asked)])
async def change_password_page(
    request: Request, user: CurrentUser, current: CurrentSession, factors: FactorManagerDep
) -> Response:
    """Show the form that changes the password. A second factor is asked for first."""
    if user.second_factors:
        await factors.require_recent(current)
    return render_page(request, "change-password", username=user.email)


@router.post("/change-password", dependencies=[Depends(keep_asked)])
async def change_password(
    form: Annotated[PasswordChangeForm, Form()],
    user: CurrentUser,
    current: CurrentSession,
    users: UserManagerDep,
    check_password_limit: PasswordLimitDep,
) -> Response:
    """Change the password, and end all other sessions."""
    if form.current_password is None and not user.second_factors:
        raise missing_field("current_password")
    await check_password_limit(user, form.current_password)
    await users.update(UserUpdate(**form.model_dump(exclude_none=True)), user, current)
    return redirect_to_result("password-changed")
