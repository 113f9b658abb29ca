"""The style sheet and the logo that settings add to all pages: ACCENT_COLOR and LOGO_FILE."""

from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from accounts.api.account_pages.paths import PATH
from accounts.branding import Branding
from accounts.branding.colours import Tone
from accounts.branding.logo import read_logo

CACHE = {"Cache-Control": "max-age=3600"}
# An SVG file may have scripts. In pages, an image runs none; opened by itself, it has neither scripts nor an origin.
IMAGE = CACHE | {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
STYLE = """:root {{ {light} }}
@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}
"""
router = APIRouter(prefix=f"{PATH}/static")


@router.get("/brand.css")
async def style(request: Request) -> Response:
    """Serve the colours that follow from ACCENT_COLOR."""
    palette = Branding.of(request.state.settings).palette
    text = STYLE.format(light=_properties(palette.light), dark=_properties(palette.dark))
    return Response(text, media_type="text/css", headers=CACHE)


def _properties(tone: Tone) -> str:
    return f"--act: {tone.act}; --on-act: {tone.on_act}; --fill: {tone.fill}; --on-fill: {tone.on_fill};"


@router.get("/logo")
async def logo(request: Request) -> Response:
    """Serve LOGO_FILE.

    Raises:
        HTTPException: 404, there is none.

    """
    path = request.state.settings.logo_file
    if path is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    image = read_logo(path)
    return Response(image.content, media_type=image.media_type, headers=IMAGE)
