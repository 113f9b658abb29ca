"""The documentation page: Swagger UI, served from the image, since a CDN could run any script on this origin."""

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

PATH = "/docs"
STATIC = Path(__file__).parent / "static"


def add_docs(app: FastAPI) -> None:
    """Serve the page, and Swagger UI's scripts and styles, which fastapi-offline packages."""
    files = StaticFiles(directory=STATIC, packages=[("fastapi_offline", "static")])

    async def page(_: Request) -> Response:
        return FileResponse(STATIC / "docs.html")

    async def asset(request: Request) -> Response:
        return await files.get_response(request.path_params["path"], request.scope)

    app.add_route(PATH, page, include_in_schema=False)
    app.add_route(f"{PATH}/{{path:path}}", asset, include_in_schema=False)
