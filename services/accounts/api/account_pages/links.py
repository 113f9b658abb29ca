"""Pages that mailed links open. GET changes nothing, since link scanners follow links too; the form's POST does."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import Response

from accounts.api.account_pages.messages import RESULTS
from accounts.api.account_pages.render import PATH, READ, redirect, render_page, render_result
from accounts.api.dependencies import EmailChangeDep, PasswordResetDep, VerificationDep
from accounts.api.rate_limits import ResetAttemptsDep, limit_by_client, limit_by_email
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.identity.auth import EmailInput, PasswordResetInput, TokenInput

router = APIRouter(prefix=PATH)
EmailForm = Annotated[EmailInput, Form()]


@router.api_route("/verify", methods=READ)
@router.api_route("/confirm-email", methods=READ)
@router.api_route("/undo-email", methods=READ)
@router.api_route("/reset-password", methods=READ)
@router.api_route("/forgot-password", methods=READ)
async def form_page(request: Request) -> Response:
    """Show the form named by the path."""
    return render_page(request, request.scope["path"].rpartition("/")[2])


@router.api_route("/done/{name}", methods=READ)
async def done_page(request: Request, name: str) -> Response:
    """Show the result of an action.

    Raises:
        HTTPException: 404, there is no such result.

    """
    if name not in RESULTS:
        raise HTTPException(404)
    return render_result(request, RESULTS[name])


@router.post("/verify", dependencies=[limit_by_client(Attempt.VERIFY)])
async def verify(form: Annotated[TokenInput, Form()], verification: VerificationDep) -> Response:
    """Mark the email address as verified."""
    await verification.verify(form.token)
    return redirect("/done/verified")


@router.post("/confirm-email", dependencies=[limit_by_client(Attempt.VERIFY)])
async def confirm_email(form: Annotated[TokenInput, Form()], changes: EmailChangeDep) -> Response:
    """Change the email address to the confirmed one."""
    await changes.confirm(form.token)
    return redirect("/done/email-confirmed")


@router.post("/undo-email", dependencies=[limit_by_client(Attempt.VERIFY)])
async def undo_email(form: Annotated[TokenInput, Form()], changes: EmailChangeDep) -> Response:
    """Restore the previous email address."""
    await changes.undo(form.token)
    return redirect("/done/email-undone")


@router.post("/forgot-password", dependencies=[limit_by_email(Attempt.FORGOT_PASSWORD, form=True)])
async def forgot_password(body: EmailForm, resets: PasswordResetDep) -> Response:
    """Send a reset link if an account has the email address. The response is the same either way."""
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
