"""Pages to sign in and out, and the overview of the account."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import CONNECTED_ACCOUNTS, PATH, NextPage
from accounts.api.account_pages.redirects import redirect, redirect_signed_in, redirect_to_result
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CookieStrategyDep, CurrentUser, Viewer, cookie
from accounts.api.dependencies import SignInDep, VerificationDep
from accounts.api.rate_limits import LoginFormDep, VerificationLimitDep
from accounts.domain.sessions.assurance import BY_PASSWORD
from accounts.schemas.fields import OpaqueToken
from accounts.translations import N_

router = APIRouter(prefix=PATH)
NAV = (NavItem("", N_("Overview")),)


@router.get("")
async def account(request: Request, user: CurrentUser) -> Response:
    """Show the account."""
    return render_page(request, "account", user=user)


@router.get("/sign-in")
async def sign_in_page(
    request: Request, viewer: Viewer, next_page: Annotated[NextPage, Query(alias="next")] = ""
) -> Response:
    """Show the sign-in form. Signed-in users see it only with an invitation, which may be for another account."""
    if viewer and "invitation" not in request.query_params:
        return redirect(next_page)
    return render_page(request, "sign-in")


@router.post("/sign-in")
async def sign_in(
    form: LoginFormDep,
    manager: SignInDep,
    strategy: CookieStrategyDep,
    invitation: Annotated[OpaqueToken | None, Form()] = None,
    connect: Annotated[Literal["true"] | None, Form()] = None,
    next_page: Annotated[NextPage, Form(alias="next")] = "",
) -> Response:
    """Sign in, and continue with the invitation, an account at another provider, or the page that was asked for."""
    response = await strategy.sign_in(await manager.authenticate(form.username, form.password), BY_PASSWORD)
    return redirect_signed_in(response, invitation, CONNECTED_ACCOUNTS if connect else next_page)


@router.post("/sign-out")
async def sign_out(user: CurrentUser, strategy: CookieStrategyDep) -> Response:
    """Sign out."""
    return redirect_to_result("signed-out", await cookie.logout(strategy, user, ""))


@router.post("/request-verify")
async def request_verify(
    user: CurrentUser, verification: VerificationDep, check_limit: VerificationLimitDep
) -> Response:
    """Send the verification email again."""
    await check_limit(user.email)
    await verification.request(user.email)
    return redirect_to_result("sent")
