"""The API's description as a page: Swagger UI from the image itself, since a CDN could run in it what it likes."""

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

PATH = "/docs"
OWN = Path(__file__).parent / "static"


def add_docs(app: FastAPI) -> None:
    """Serve the page, and the scripts and styles that it needs: fastapi-offline keeps them up to date."""
    files = StaticFiles(directory=OWN, packages=[("fastapi_offline", "static")])

    async def page(_: Request) -> Response:
        return FileResponse(OWN / "docs.html")

    async def asset(request: Request) -> Response:
        return await files.get_response(request.path_params["path"], request.scope)

    app.add_route(PATH, page, include_in_schema=False)
    app.add_route(f"{PATH}/{{path:path}}", asset, include_in_schema=False)
