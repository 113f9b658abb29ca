"""All account pages under one path, their style sheet and script, and the well-known URLs that lead to them."""

from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse
from starlette.responses import RedirectResponse

from accounts.api.account_pages import (
    activity,
    brand,
    connected_accounts,
    group,
    group_files,
    group_imports,
    group_invitations,
    group_member,
    group_second_factor,
    group_settings,
    invitations,
    languages,
    leaving_groups,
    links,
    mailed_codes,
    own_data,
    own_groups,
    passkeys,
    passwords,
    profile,
    second_factor,
    security,
    sessions,
    sign_in,
    sign_up,
    tokens,
)
from accounts.api.account_pages.done_messages import done_texts
from accounts.api.account_pages.navigation import navigation
from accounts.api.account_pages.paths import PATH, require_pages_enabled
from accounts.domain.passkeys.relying_party import is_available

STATIC = Path(__file__).parent / "static"
MODULES = (
    sign_in,
    profile,
    passkeys,
    mailed_codes,
    sign_up,
    passwords,
    links,
    second_factor,
    security,
    sessions,
    connected_accounts,
    own_groups,
    leaving_groups,
    invitations,
    tokens,
    group,
    group_member,
    group_settings,
    group_second_factor,
    group_invitations,
    group_files,
    group_imports,
    activity,
    own_data,
    languages,
)
LARGE_BODIES = {path: size for module in MODULES for path, size in getattr(module, "LARGE_BODIES", {}).items()}
WITH_PAGES = [Depends(require_pages_enabled)]
router = APIRouter()
pages = APIRouter(dependencies=WITH_PAGES)


def add_account_pages(app: FastAPI) -> None:
    """Add the pages, their navigation and texts. A router inside of another one would have its routes built twice."""
    app.state.account_navigation, app.state.done = navigation(MODULES), done_texts(MODULES)
    for each in (pages, router):
        app.include_router(each, include_in_schema=False)
    for module in (brand, *MODULES):
        app.include_router(module.router, dependencies=WITH_PAGES, include_in_schema=False)


@pages.get(f"{PATH}/static/site.css")
async def style() -> FileResponse:
    """Serve the style sheet of all pages."""
    return FileResponse(STATIC / "site.css", headers={"Cache-Control": "max-age=3600"})


@pages.get(f"{PATH}/static/passkey.js")
async def passkey_script() -> FileResponse:
    """Serve the script of the pages that use passkeys."""
    return FileResponse(STATIC / "passkey.js", headers={"Cache-Control": "max-age=300"})


@pages.get(f"{PATH}/static/progress.js")
async def progress_script() -> FileResponse:
    """Serve the script of the page that shows the progress of an import."""
    return FileResponse(STATIC / "progress.js", headers={"Cache-Control": "max-age=300"})


@router.get("/.well-known/passkey-endpoints")
async def passkey_endpoints(request: Request) -> dict[str, str]:
    """Return the page that adds and removes passkeys, for password managers (W3C, Passkey Endpoints).

    Raises:
        HTTPException: 404, passkeys cannot be used here.

    """
    settings = request.state.settings
    if not is_available(settings):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    page = f"{settings.account_url}/passkeys"
    return {"enroll": page, "manage": page}


@router.get("/.well-known/change-password")
async def change_password(request: Request) -> RedirectResponse:
    """Redirect password managers to the page that changes a password (W3C, A Well-Known URL for Changing Passwords)."""
    site = request.state.settings.pages_url.rstrip("/") or PATH
    return RedirectResponse(f"{site}/change-password", HTTPStatus.SEE_OTHER)
