"""HTTP methods, and which of them a path of the application has."""

from fastapi import Request
from starlette.routing import Match

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}  # RFC 9110, 9.2.1


def has_route(request: Request, method: str, path: str) -> bool:
    """Return whether the application has a route for a method at a path."""
    scope = dict(request.scope) | {"type": "http", "method": method, "path": path}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


def allowed_methods(request: Request) -> list[str]:
    """List all methods of the path (RFC 9110, 15.5.6). Starlette lists those of the first matching route only."""
    return [method for method in METHODS if has_route(request, method, request.scope["path"])]
