"""The documentation page, and ``/``, which leads there and to the account pages.

Swagger UI is served from the image, since a CDN could run any script on this origin.
"""

from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from accounts.api.account_pages.paths import PATH as ACCOUNT_PAGES

PATH = "/docs"
STATIC = Path(__file__).parent / "static"


def add_docs(app: FastAPI) -> None:
    """Serve ``/``, the page, and Swagger UI's scripts and styles, which fastapi-offline packages."""
    files = StaticFiles(directory=STATIC, packages=[("fastapi_offline", "static")])

    async def page(_: Request) -> Response:
        return FileResponse(STATIC / "docs.html")

    async def asset(request: Request) -> Response:
        return await files.get_response(request.path_params["path"], request.scope)

    app.add_route("/", index, include_in_schema=False)
    app.add_route(PATH, page, include_in_schema=False)
    app.add_route(f"{PATH}/{{path:path}}", asset, include_in_schema=False)


async def index(request: Request) -> Response:
    """Redirect browsers to the account pages, and tell programs where to begin."""
    pages, headers = request.state.settings.pages_url or ACCOUNT_PAGES, {"Vary": "Accept"}
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(pages, HTTPStatus.SEE_OTHER, headers)
    links = {"account": pages, "docs": PATH, "openapi": "/openapi.json", "health": "/health/ready"}
    return JSONResponse(links, headers=headers)
