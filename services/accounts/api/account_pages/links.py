"""Pages that mailed links open. GET changes nothing, since link scanners follow links too; the form's POST does."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import Response

from accounts.api.account_pages.done_messages import last_done
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect, redirect_to_result
from accounts.api.account_pages.render import render_page, render_result
from accounts.api.account_pages.results import RESULTS
from accounts.api.dependencies import EmailChangeDep, VerificationDep
from accounts.api.rate_limits import limit_by_client
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.identity.auth import TokenInput

router = APIRouter(prefix=PATH)


@router.get("/verify")
@router.get("/confirm-email")
@router.get("/undo-email")
async def form_page(request: Request) -> Response:
    """Show the form named by the path."""
    return render_page(request, request.scope["path"].rpartition("/")[2])


@router.get("/done/{name}")
async def done_page(request: Request, name: str) -> Response:
    """Show the result of an action to the browser that did it. Others are led to where its button leads.

    Raises:
        HTTPException: 404, there is no such result.

    """
    if name not in RESULTS:
        raise HTTPException(404)
    result, query = RESULTS[name], request.query_params
    if last_done(request).text != name:
        return redirect(result.page, invitation=query.get("invitation"), next=query.get("next"))
    return render_result(request, result)


@router.post("/verify", dependencies=[limit_by_client(Attempt.VERIFY)])
async def verify(form: Annotated[TokenInput, Form()], verification: VerificationDep) -> Response:
    """Mark the email address as verified."""
    await verification.verify(form.token)
    return redirect_to_result("verified")


@router.post("/confirm-email", dependencies=[limit_by_client(Attempt.VERIFY)])
async def confirm_email(form: Annotated[TokenInput, Form()], changes: EmailChangeDep) -> Response:
    """Change the email address to the confirmed one."""
    await changes.confirm(form.token)
    return redirect_to_result("email-confirmed")


@router.post("/undo-email", dependencies=[limit_by_client(Attempt.VERIFY)])
async def undo_email(form: Annotated[TokenInput, Form()], changes: EmailChangeDep) -> Response:
    """Restore the previous email address."""
    await changes.undo(form.token)
    return redirect_to_result("email-undone")
