"""Fast routes: GET routes that FastAPI documents, but serves without resolving dependencies.

For the two routes that are called most. Resolving an ordinary route's dependencies takes about 0.3 ms, more than a
short statement does. Write an ordinary route unless a measurement says otherwise.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from inspect import cleandoc
from typing import Any, cast

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.routing import request_response

from accounts.api.authentication import COOKIE
from accounts.db.session import transaction
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.caller import FastReader
from accounts.domain.sessions.session_token import parse_session_token
from accounts.domain.sessions.sessions import SessionManager

Endpoint = Callable[[Request], Awaitable[Response]]


def fast_get(
    router: APIRouter, path: str, parameters: Callable[..., None], **documentation: Any
) -> Callable[[Endpoint], Endpoint]:
    """Serve GET requests by a function that takes the ``Request`` and returns the ``Response``.

    ``parameters`` is never called. Its signature is that of the ordinary route, for the OpenAPI document: its
    dependencies are documented there and enforced nowhere, so the endpoint has to check them itself.
    Add the router's routes to the application's router directly: include_router() would replace the endpoint.
    """

    def register(endpoint: Endpoint) -> Endpoint:
        name, description = endpoint.__name__, cleandoc(endpoint.__doc__ or "")
        router.add_api_route(path, parameters, name=name, operation_id=name, description=description, **documentation)
        cast("APIRoute", router.routes[-1]).app = request_response(endpoint)
        return endpoint

    return register


async def fast_reader(request: Request) -> FastReader:
    """Return the reader for the caller, who is identified by an access token or else by the session cookie.

    The session of an access token is not checked here, but by the endpoint's statement (``select_caller``).
    """
    state = request.state
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    claims = state.keys.verify(token) if scheme.lower() == "bearer" else None
    if claims is None and (cookie := parse_session_token(request.cookies.get(COOKIE, ""))):
        async with transaction(state.reader) as db:
            row = await SessionManager(db, state.settings).by_cookie(cookie)
        claims = Claims(row[0].id, row[1].id) if row else None
    state.claims = claims  # for the access log
    return FastReader(state.connect, claims, timedelta(seconds=state.settings.session_idle_seconds))


def parse_query[Model: BaseModel](request: Request, model: type[Model]) -> Model:
    """Validate the query string, as FastAPI does for a parameter that is a model.

    Raises:
        RequestValidationError: a parameter is not valid.

    """
    return _validate(model.model_validate, dict(request.query_params), "query")


def parse_path[Value](request: Request, name: str, adapter: TypeAdapter[Value]) -> Value:
    """Validate a parameter of the path.

    Raises:
        RequestValidationError: the parameter is not valid.

    """
    return _validate(adapter.validate_python, request.path_params[name], "path", name)


def _validate[Value](validate: Callable[[Any], Value], value: Any, *location: str) -> Value:
    try:
        return validate(value)
    except ValidationError as error:
        faults = [{**fault, "loc": (*location, *fault["loc"])} for fault in error.errors(include_url=False)]
        raise RequestValidationError(faults) from None
