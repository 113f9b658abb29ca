"""Routes of the hot path: described by FastAPI like all others, and called without its resolution of dependencies.

That resolution costs several times what a short statement does. A new one takes a line: ``router`` with this class.
"""

from collections.abc import Callable, Coroutine
from inspect import signature
from typing import Annotated, Any, get_args, override

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from fastapi.routing import APIRoute
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import TypeAdapter, ValidationError
from starlette.types import Receive, Scope, Send

from accounts.api.authentication import COOKIE
from accounts.domain.sessions.caller import Reading
from accounts.domain.sessions.session_token import parse_session_token

SECURITY: dict[str, Any] = {"security": [{"OAuth2PasswordBearer": []}, {"APIKeyCookie": []}]}


async def described() -> None:
    """Stand for a ``Reading`` where FastAPI describes a route; nobody calls it."""


def reading_of(request: Request) -> Reading:
    """Give what a route reads with. Who asks is found by its first statement: by an access token, or else a cookie."""
    state = request.state
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    claims = state.keys.verify(token) if scheme.lower() == "bearer" else None
    state.claims = claims  # for the log
    cookie = None if claims else parse_session_token(request.cookies.get(COOKIE, ""))
    return Reading(state.connect, state.reader, state.settings, claims, cookie)


ReadingDep = Annotated[Reading, Depends(described)]


class ReadRoute(APIRoute):
    """A route whose function takes a ``ReadingDep``, the ``Request``, parameters of the path and one model of query.

    It belongs to the application's own router, where it is found without those of others on the way.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **described: Any) -> None:
        super().__init__(path, endpoint, **described | {"operation_id": endpoint.__name__})
        answer = self.get_route_handler()

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            await (await answer(Request(scope, receive, send)))(scope, receive, send)

        self.app = serve  # FastAPI's has exit stacks for dependencies, which there are none of

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        call: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint
        fills = {
            name: _fill(name, parameter.annotation)
            for name, parameter in signature(call, eval_str=True).parameters.items()
        }

        async def handle(request: Request) -> Response:
            return await call(**{name: fill(request) for name, fill in fills.items()})

        return handle


def _fill(name: str, annotation: Any) -> Callable[[Request], Any]:
    if annotation is Request:
        return lambda request: request
    if annotation is ReadingDep:
        return reading_of
    adapter = TypeAdapter[Any](annotation)
    if any(isinstance(each, Query) for each in get_args(annotation)):
        return lambda request: _validated(adapter, dict(request.query_params), "query")
    return lambda request: _validated(adapter, request.path_params[name], "path", name)


def _validated(adapter: TypeAdapter[Any], value: Any, *where: str) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        faults = [{**fault, "loc": (*where, *fault["loc"])} for fault in error.errors(include_url=False)]
        raise RequestValidationError(faults) from None
