"""Pages about what protects an account: the overview, the authenticator app, and recovery codes.

Each room adds a section to the overview: a template in ``templates/security``, and a function that returns its values.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.forms import kept_values, missing_field
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect, redirect_to_result
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import DbDep, FactorManagerDep, TotpManagerDep, passwords
from accounts.api.rate_limits import SecondFactorLimitDep
from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.second_factors.factors import FactorManager
from accounts.domain.totp.provisioning import provision
from accounts.models import User
from accounts.schemas.second_factors import TotpCode
from accounts.translations import N_

router = APIRouter(prefix=PATH)
NAV = (NavItem("/security", N_("Security"), N_("Second factors, and what else protects your account.")),)


class AppForm(BaseModel):
    """The step of setting an authenticator app up, the second one with a code of the app."""

    step: Literal["start", "confirm"]
    code: TotpCode | None = None


async def second_factors(request: Request, db: Session, user: User) -> dict[str, Any]:
    """Return the values of the section about the authenticator app and recovery codes."""
    return await FactorManager(db, passwords(request), request.state.settings).overview(user)


# By name of the template, in the order of the page.
SECTIONS: dict[str, Callable[[Request, Session, User], Awaitable[dict[str, Any]]]] = {"second-factors": second_factors}


@router.get("/security")
async def security_page(request: Request, user: CurrentUser, db: DbDep) -> Response:
    """Show what protects the account."""
    return render_page(
        request, "security", sections={name: await read(request, db, user) for name, read in SECTIONS.items()}
    )


async def keep_app(request: Request, user: CurrentUser, current: CurrentSession, totp: TotpManagerDep) -> None:
    """Set what the page of the authenticator app shows: the app, or the secret of a new one."""
    values = kept_values(request)
    values |= {"has_app": False, "app": None}
    try:
        secret = await totp.pending_secret(user, current)
    except errors.TotpExists:
        values["has_app"] = True
    else:
        values["app"] = provision(request.state.settings, user, secret) if secret else None


@router.get("/authenticator-app", dependencies=[Depends(keep_app)])
async def authenticator_app_page(request: Request) -> Response:
    """Show how to set an authenticator app up, or to remove it."""
    return render_page(request, "authenticator-app")


@router.post("/authenticator-app", dependencies=[Depends(keep_app)])
async def add_authenticator_app(
    request: Request,
    form: Annotated[AppForm, Form()],
    user: CurrentUser,
    current: CurrentSession,
    totp: TotpManagerDep,
    check_limit: SecondFactorLimitDep,
) -> Response:
    """Create a secret for an app, or confirm it by a code. Recovery codes are shown in the response only."""
    if form.step == "start":
        await totp.start(user, current)
        return redirect("/authenticator-app")
    if form.code is None:
        raise missing_field("code")
    await check_limit(user)
    codes = await totp.confirm(user, current, form.code)
    return render_page(request, "new-recovery-codes", codes=codes, added=True)


@router.post("/remove-authenticator-app")
async def remove_authenticator_app(user: CurrentUser, current: CurrentSession, totp: TotpManagerDep) -> Response:
    """Remove the authenticator app."""
    await totp.remove(user, current)
    return redirect_to_result("app-removed")


@router.get("/remove-authenticator-app")
async def remove_authenticator_app_page() -> Response:
    """Lead to the page of the app: a confirmation leads back here."""
    return redirect("/authenticator-app")


@router.get("/recovery-codes")
async def recovery_codes_page(request: Request, user: CurrentUser, factors: FactorManagerDep) -> Response:
    """Show how many recovery codes are left."""
    return render_page(request, "recovery-codes", left=(await factors.overview(user))["recovery_codes_left"], user=user)


@router.post("/recovery-codes")
async def renew_recovery_codes(
    request: Request, user: CurrentUser, current: CurrentSession, factors: FactorManagerDep
) -> Response:
    """Create new recovery codes. They are shown in the response, and never again."""
    codes = await factors.renew_recovery_codes(user, current)
    return render_page(request, "new-recovery-codes", codes=codes, added=False)
