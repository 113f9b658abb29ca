"""All account pages under one path, their style sheet, and the well-known URL that leads to one of them."""

from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse
from starlette.responses import RedirectResponse

from accounts.api.account_pages import links, mailed_codes, passwords, second_factor, security, sign_in, sign_up
from accounts.api.account_pages.render import PATH, require_pages_enabled

STYLE = Path(__file__).parent / "static" / "site.css"
MODULES = (sign_in, mailed_codes, sign_up, passwords, links, second_factor, security)
router = APIRouter(include_in_schema=False)
pages = APIRouter(dependencies=[Depends(require_pages_enabled)])
for module in MODULES:
    pages.include_router(module.router)


@pages.get(f"{PATH}/static/site.css")
async def style() -> FileResponse:
    """Serve the style sheet of all pages."""
    return FileResponse(STYLE, headers={"Cache-Control": "max-age=3600"})


@router.get("/.well-known/change-password")
async def change_password(request: Request) -> RedirectResponse:
    """Redirect password managers to the page that changes a password (W3C, A Well-Known URL for Changing Passwords)."""
    site = request.state.settings.pages_url.rstrip("/") or PATH
    return RedirectResponse(f"{site}/change-password", HTTPStatus.SEE_OTHER)


router.include_router(pages)
