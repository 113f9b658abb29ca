"""Pages that ask for a second factor: to finish a sign-in, and before sensitive changes."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import Response

from accounts.api.account_pages.connected_accounts import confirming_providers
from accounts.api.account_pages.forms import kept_values
from accounts.api.account_pages.mailed_codes import CODE_COOKIE, sent_code
from accounts.api.account_pages.paths import PATH, NextPage
from accounts.api.account_pages.redirects import MFA_COOKIE, redirect, redirect_back, redirect_signed_in
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import ExternalIdentityDep, SecondFactorDep
from accounts.api.rate_limits import PasswordLimitDep, SecondFactorLimitDep, limit_by_client
from accounts.api.started_sessions import StartCookieDep
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import User
from accounts.schemas.fields import OpaqueToken, Password
from accounts.schemas.mailed_codes import MailedCodeText
from accounts.schemas.passkeys import PasskeyJson
from accounts.schemas.second_factors import ElevateInput, FactorCodes

router = APIRouter(prefix=PATH)


class SecondFactorForm(FactorCodes):
    """A proof that finishes a sign-in, and the invitation or the page to continue with."""

    passkey: PasskeyJson = None
    invitation: OpaqueToken | None = None
    next: NextPage = ""


class ConfirmForm(FactorCodes):
    """A proof of who uses the session, and the page to continue with."""

    passkey: PasskeyJson = None
    current_password: Password | None = None
    mailed_code: MailedCodeText | None = None
    next: NextPage = ""


async def get_pending_user(request: Request, factors: SecondFactorDep) -> User:
    """Return the user of the sign-in that the browser's cookie names."""
    user = await factors.find_user(request.cookies.get(MFA_COOKIE, ""))
    kept_values(request)["factors"] = user.second_factors
    return user


async def get_confirming_user(request: Request, user: CurrentUser, identities: ExternalIdentityDep) -> User:
    """Return the signed-in user, who proves a second factor or, without one, shows who they are in another way."""
    kept_values(request).update(
        factors=user.second_factors,
        has_password=user.hashed_password != UNUSABLE,
        has_code=CODE_COOKIE in request.cookies,
        address=user.email,
        confirming=await confirming_providers(request, user, identities),
    )
    return user


PendingUser = Annotated[User, Depends(get_pending_user)]
ConfirmingUser = Annotated[User, Depends(get_confirming_user)]


@router.get("/second-factor")
async def second_factor_page(request: Request, _: PendingUser) -> Response:
    """Show the form that finishes a sign-in."""
    return render_page(request, "second-factor")


@router.post("/second-factor/options", dependencies=[limit_by_client(Attempt.MFA)])
async def begin_passkey(request: Request, factors: SecondFactorDep) -> dict[str, Any]:
    """Return the options to finish a sign-in with a passkey, for the script."""
    return await factors.begin_passkey(request.cookies.get(MFA_COOKIE, ""))


@router.post("/second-factor", dependencies=[limit_by_client(Attempt.MFA)])
async def finish_sign_in(
    request: Request,
    user: PendingUser,
    form: Annotated[SecondFactorForm, Form()],
    factors: SecondFactorDep,
    start: StartCookieDep,
    check_limit: SecondFactorLimitDep,
) -> Response:
    """Finish a sign-in, and continue with what it was for."""
    await check_limit(user)
    user, assurance, _, return_to = await factors.finish(request.cookies[MFA_COOKIE], form)
    signed_in = await start(user, assurance)
    if return_to:
        response = redirect_back(return_to, signed_in)
    else:
        response = redirect_signed_in(signed_in, form.invitation, form.next)
    response.delete_cookie(MFA_COOKIE, secure=True, httponly=True, samesite="lax")
    return response


@router.get("/confirm")
async def confirm_page(
    request: Request, _: ConfirmingUser, next_page: Annotated[NextPage, Query(alias="next")] = ""
) -> Response:
    """Show the form that proves again who uses the session."""
    return render_page(request, "confirm", next_page=next_page)


@router.post("/confirm")
async def confirm(
    request: Request,
    user: ConfirmingUser,
    form: Annotated[ConfirmForm, Form()],
    current: CurrentSession,
    factors: SecondFactorDep,
    check_password_limit: PasswordLimitDep,
    check_limit: SecondFactorLimitDep,
) -> Response:
    """Renew the authentication of the session, and go back to the page that asked for it."""
    if form.current_password is None:
        await check_limit(user)
    else:
        await check_password_limit(user, form.current_password)
    proof = form.model_dump(exclude={"next", "mailed_code"})
    code = sent_code(request, form.mailed_code) if form.mailed_code else None
    await factors.elevate(user, current, ElevateInput(**proof, mailed_code=code))
    return redirect(form.next)
