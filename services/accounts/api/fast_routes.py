"""Fast routes: routes that FastAPI documents, but serves without resolving dependencies.

For what is called most: the current user, lists, and refreshing tokens. Resolving an ordinary route's dependencies
takes more time than a short statement does. Write an ordinary route unless a measurement says otherwise.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from inspect import cleandoc
from typing import Any, cast

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.routing import request_response

from accounts.api.callers import admit, find_by_bearer
from accounts.api.dependencies import request_context
from accounts.api.request_body import check_body, read_form
from accounts.api.session_cookie import COOKIE
from accounts.db.session import CallerLevel, transaction
from accounts.db.statements import Database
from accounts.domain import errors
from accounts.domain.people import Caller
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.caller import FastReader, find_caller
from accounts.domain.sessions.session_token import parse_session_token
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import Scope

Endpoint = Callable[[Request], Awaitable[Response]]


def fast_route(
    router: APIRouter, method: str, path: str, parameters: Callable[..., None], **documentation: Any
) -> Callable[[Endpoint], Endpoint]:
    """Serve requests by a function that takes the ``Request`` and returns the ``Response``.

    ``parameters`` is never called. Its signature is that of the ordinary route, for the OpenAPI document: its
    dependencies are documented there and enforced nowhere, so the endpoint has to check them itself.
    Add the router's routes to the application's router directly: include_router() would replace the endpoint.
    """

    def register(endpoint: Endpoint) -> Endpoint:
        name, description = endpoint.__name__, cleandoc(endpoint.__doc__ or "")
        names: dict[str, Any] = {"name": name, "operation_id": name, "description": description}
        router.add_api_route(path, parameters, methods=[method], **names, **documentation)
        cast("APIRoute", router.routes[-1]).app = request_response(endpoint)
        return endpoint

    return register


def fast_get(
    router: APIRouter, path: str, parameters: Callable[..., None], **documentation: Any
) -> Callable[[Endpoint], Endpoint]:
    """Serve GET requests by a function; see ``fast_route``."""
    return fast_route(router, "GET", path, parameters, **documentation)


async def fast_reader(request: Request) -> FastReader:
    """Return the reader for the caller, who is identified by a bearer token or else by the session cookie.

    The session of a person's access token is not checked here, but by the endpoint's statement (``select_caller``).
    The other credentials are looked up first, and so are a token and a cookie together: if the token's session has
    ended, the cookie counts.

    Raises:
        InsufficientScope: an access key or a service account lacks the scope that the route requires.

    """
    state = request.state
    scheme, value = get_authorization_scheme_param(request.headers.get("authorization"))
    token = value if scheme.lower() == "bearer" else ""
    cookie = request.cookies.get(COOKIE, "")
    claims = state.keys.verify(token) if token and not cookie else None
    level = CallerLevel(required_of_superusers=state.settings.superuser_aal)
    is_person = claims is not None and Scope.ACCOUNT in claims.scopes
    if not is_person:
        claims, level = await _look_up(request, token, cookie) if token or cookie else (None, level)
    state.claims = claims  # for the access log
    idle = state.settings.session_idle
    found = not is_person
    return FastReader(state.connect, claims, idle, looked_up=found, caller_level=level, replica=state.replica)


@asynccontextmanager
async def reading_as_anyone(request: Request) -> AsyncIterator[tuple[Database, Caller | None]]:
    """Open a connection for a list that anonymous callers may read, too; with the caller, if there is one."""
    reader = await fast_reader(request)
    async with reader.connect() as connection:
        yield connection, await find_caller(reader, connection)


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[tuple[Database, Caller]]:
    """Open a connection for a list of a signed-in caller.

    Raises:
        HTTPException: 401, there is no caller.

    """
    async with reading_as_anyone(request) as (db, caller):
        if caller is None:
            raise HTTPException(HTTPStatus.UNAUTHORIZED)
        yield db, caller


def claims_of_person(request: Request) -> Claims:
    """Return the session of the caller, and its user.

    Raises:
        NotWithAKey: the caller is a program.

    """
    claims: Claims = request.state.claims
    if Scope.ACCOUNT not in claims.scopes:
        raise errors.NotWithAKey
    return claims


def require_superuser(caller: Caller) -> None:
    """Require a superuser, as ``current_superuser`` does.

    Raises:
        HTTPException: 403, of another user.
        AssuranceRequired: the superuser's session is of too low a level.

    """
    if not caller.is_superuser:
        raise HTTPException(HTTPStatus.FORBIDDEN)
    if not caller.has_superuser_rights:
        raise errors.AssuranceRequired


async def _look_up(request: Request, token: str, cookie: str) -> tuple[Claims | None, CallerLevel]:
    state = request.state
    async with transaction(state.reader, request_context(request)) as db:
        sessions = SessionManager(db, state.settings)
        row = await find_by_bearer(request, sessions, token)
        if row is None and (parsed := parse_session_token(cookie)):
            row = await sessions.by_cookie(parsed)
        if row is None:
            return None, CallerLevel()
        admit(request, db, *row)
        return state.claims, db.caller_level


def parse_query[Model: BaseModel](request: Request, model: type[Model]) -> Model:
    """Validate the query string, as FastAPI does for a parameter that is a model.

    Raises:
        RequestValidationError: a parameter is not valid.

    """
    return _validate(model.model_validate, dict(request.query_params), "query")


async def parse_form[Model: BaseModel](request: Request, model: type[Model]) -> Model:
    """Validate a form, as FastAPI does for a parameter that is a model. Fields without a value count as left out.

    Raises:
        HTTPException: the body is no form, or cannot be parsed.
        RequestValidationError: a field is not valid.

    """
    await check_body(request)
    sent = await read_form(request)
    await sent.close()  # its files; no field of a model is one
    return _validate(model.model_validate, {name: value for name, value in sent.items() if value != ""}, "body")


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
