"""What a mailed link opens: a page that does nothing, since programs follow links too, and a button that does."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import Response

from accounts.api.account_pages.render import PATH, READ, redirect, render_page
from accounts.api.dependencies import EmailChangeDep, PasswordResetDep, VerificationDep
from accounts.api.rate_limits import ResetAttemptsDep, limit_by_client, limit_by_email
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.identity.auth import EmailInput, PasswordResetInput, TokenInput

router = APIRouter(prefix=PATH)
EmailForm = Annotated[EmailInput, Form()]
DONE = {
    "registered": ("Look into your mailbox", "We have sent you a mail. Its link confirms your e-mail address."),
    "joined": ("Welcome", "Your account is made, and you belong to the group. Sign in to go on."),
    "verified": ("Thank you", "Your e-mail address is confirmed."),
    "email-confirmed": ("Thank you", "Your account has its new e-mail address. Sign in with it from now on."),
    "email-undone": (
        "It is taken back",
        "Your account has its old e-mail address. Look into your mailbox for the next step.",
    ),
    "sent": ("Look into your mailbox", "If an account needs it, we have sent a mail with a link."),
    "reset": ("Your password is set", "You are signed out everywhere. Sign in with the new password."),
    "accepted": ("Welcome", "You belong to the group now."),
    "declined": ("Declined", "The invitation is over. Nobody is told."),
    "signed-out": ("Signed out", "You are signed out."),
}


@router.api_route("/verify", methods=READ)
@router.api_route("/confirm-email", methods=READ)
@router.api_route("/undo-email", methods=READ)
@router.api_route("/reset-password", methods=READ)
@router.api_route("/forgot-password", methods=READ)
async def form_page(request: Request) -> Response:
    """Show the form that the path names."""
    return render_page(request, request.scope["path"].rpartition("/")[2])


@router.api_route("/done/{what}", methods=READ)
async def done_page(request: Request, what: str) -> Response:
    """Say what was done.

    Raises:
        HTTPException: 404.

    """
    if what not in DONE:
        raise HTTPException(404)
    title, message = DONE[what]
    return render_page(request, "done", title=title, message=message)


@router.post("/verify", dependencies=[limit_by_client(Attempt.VERIFY)])
async def verify(form: Annotated[TokenInput, Form()], verification: VerificationDep) -> Response:
    """Mark the address as verified."""
    await verification.verify(form.token)
    return redirect("/done/verified")


@router.post("/confirm-email", dependencies=[limit_by_client(Attempt.VERIFY)])
async def confirm_email(form: Annotated[TokenInput, Form()], changes: EmailChangeDep) -> Response:
    """Change the address."""
    await changes.confirm(form.token)
    return redirect("/done/email-confirmed")


@router.post("/undo-email", dependencies=[limit_by_client(Attempt.VERIFY)])
async def undo_email(form: Annotated[TokenInput, Form()], changes: EmailChangeDep) -> Response:
    """Change the address back."""
    await changes.undo(form.token)
    return redirect("/done/email-undone")


@router.post("/forgot-password", dependencies=[limit_by_email(Attempt.FORGOT_PASSWORD, EmailForm)])
async def forgot_password(body: EmailForm, resets: PasswordResetDep) -> Response:
    """Mail a link, if somebody has the address; the next page is the same."""
    await resets.request(body.email)
    return redirect("/done/sent")


@router.post("/reset-password", dependencies=[limit_by_client(Attempt.RESET_PASSWORD)])
async def reset_password(
    form: Annotated[PasswordResetInput, Form()], resets: PasswordResetDep, reset_attempts: ResetAttemptsDep
) -> Response:
    """Set a new password."""
    user = await resets.reset(form.token, form.password)
    await reset_attempts(user.email)
    return redirect("/done/reset")
