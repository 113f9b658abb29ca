"""All account pages under one path, and their style sheet."""

from pathlib import Path

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse

from accounts.api.account_pages import links, sign_in, sign_up
from accounts.api.account_pages.render import PATH, require_pages_enabled

STYLE = Path(__file__).parent / "static" / "site.css"
router = APIRouter(dependencies=[Depends(require_pages_enabled)], include_in_schema=False)
for module in (sign_in, sign_up, links):
    router.include_router(module.router)


@router.get(f"{PATH}/static/site.css")
async def style() -> FileResponse:
    """Serve the style sheet of all pages."""
    return FileResponse(STYLE, headers={"Cache-Control": "max-age=3600"})
