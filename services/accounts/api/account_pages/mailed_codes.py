"""Pages to sign in with a mailed code: one asks for the address, the other for the code. A code also confirms."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.paths import PATH, NextPage
from accounts.api.account_pages.redirects import redirect, redirect_signed_in
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentUser, Viewer
from accounts.api.dependencies import MailedCodeDep
from accounts.api.rate_limits import CodeRequestLimitDep, limit_by_client, limit_by_email
from accounts.api.started_sessions import StartCookieDep
from accounts.domain.mailed_codes.sign_in import BY_MAILED_CODE
from accounts.domain.mailed_codes.verify import require_enabled
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.fields import OpaqueToken
from accounts.schemas.identity.auth import EmailInput
from accounts.schemas.mailed_codes import CodeForm, CodeInput

router = APIRouter(prefix=PATH)
CODE_COOKIE = "__Host-accounts-code"  # has the token of the request: the code works in this browser only
COOKIE_SECONDS = 60 * 60


class InvitedEmail(EmailInput):
    """The email address, and the invitation or the page that the sign-in continues with."""

    invitation: OpaqueToken | None = None
    next: NextPage = ""


class NextForm(BaseModel):
    """The page that a confirmation continues with."""

    next: NextPage = ""


class InvitedCode(CodeForm):
    """The code, and the invitation or the page that the sign-in continues with."""

    invitation: OpaqueToken | None = None
    next: NextPage = ""


@router.get("/sign-in-code")
async def request_page(request: Request, viewer: Viewer) -> Response:
    """Show the form that requests a code."""
    if viewer and "invitation" not in request.query_params:
        return redirect("")
    require_enabled(request.state.settings)
    return render_page(request, "sign-in-code")


@router.post("/sign-in-code", dependencies=[limit_by_email(Attempt.CODE_REQUEST, form=True)])
async def request_code(form: Annotated[InvitedEmail, Form()], codes: MailedCodeDep) -> Response:
    """Mail a code if an account has the email address. The response is the same either way."""
    response = redirect("/enter-code", invitation=form.invitation, next=form.next or None)
    return _with_cookie(response, await codes.request(form.email))


@router.post("/confirm-code")
async def request_confirming_code(
    form: Annotated[NextForm, Form()], user: CurrentUser, codes: MailedCodeDep, check_limit: CodeRequestLimitDep
) -> Response:
    """Mail a code to the signed-in user, who confirms with it."""
    await check_limit(user.email)
    return _with_cookie(redirect("/confirm", next=form.next or None), await codes.request(user.email))


def _with_cookie(response: Response, token: str) -> Response:
    response.set_cookie(CODE_COOKIE, token, COOKIE_SECONDS, secure=True, httponly=True, samesite="lax")
    return response


def sent_code(request: Request, code: str) -> CodeInput:
    """Return a code that was entered, with the token of the browser that requested it; it may have requested none."""
    return CodeInput.model_construct(code=code, code_token=request.cookies.get(CODE_COOKIE, ""))


@router.get("/enter-code")
async def code_page(request: Request) -> Response:
    """Show the form for the code, in the browser that requested one."""
    require_enabled(request.state.settings)
    if CODE_COOKIE not in request.cookies:
        return redirect("/sign-in-code", invitation=request.query_params.get("invitation") or None)
    return render_page(request, "enter-code")


@router.post("/enter-code", dependencies=[limit_by_client(Attempt.CODE)])
async def enter_code(
    request: Request,
    form: Annotated[InvitedCode, Form()],
    codes: MailedCodeDep,
    start: StartCookieDep,
) -> Response:
    """Sign in, and continue with the invitation or the page that was asked for."""
    user = await codes.authenticate(request.cookies.get(CODE_COOKIE, ""), form.code)
    response = redirect_signed_in(await start(user, BY_MAILED_CODE), form.invitation, form.next)
    response.delete_cookie(CODE_COOKIE, secure=True, httponly=True, samesite="lax")
    return response
