"""Every error as problem details (RFC 9457): one table from the domain's refusals to statuses, one handler a kind."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.exceptions import HTTPException
from starlette.routing import Match

from accounts.api.oauth_errors import Handler, also_for_oauth
from accounts.db.errors import DATABASE_ERRORS, is_unavailable
from accounts.domain import errors

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PROBLEM = "application/problem+json"
Absent = SkipJsonSchema[None]  # a member that is not there has no null in its schema
log = logging.getLogger("accounts")

STATUS: dict[type[errors.Refusal], HTTPStatus] = {
    errors.LoginBadCredentials: HTTPStatus.BAD_REQUEST,
    errors.RegisterUserAlreadyExists: HTTPStatus.BAD_REQUEST,
    errors.RegisterInvalidPassword: HTTPStatus.BAD_REQUEST,
    errors.UpdateUserEmailAlreadyExists: HTTPStatus.BAD_REQUEST,
    errors.UpdateUserInvalidPassword: HTTPStatus.BAD_REQUEST,
    errors.ResetPasswordBadToken: HTTPStatus.BAD_REQUEST,
    errors.ResetPasswordInvalidPassword: HTTPStatus.BAD_REQUEST,
    errors.VerifyUserBadToken: HTTPStatus.BAD_REQUEST,
    errors.ConfirmEmailBadToken: HTTPStatus.BAD_REQUEST,
    errors.UndoEmailBadToken: HTTPStatus.BAD_REQUEST,
    errors.BadCurrentPassword: HTTPStatus.BAD_REQUEST,
    errors.ReauthenticationRequired: HTTPStatus.FORBIDDEN,
    errors.BadCursor: HTTPStatus.BAD_REQUEST,
    errors.RefreshBadToken: HTTPStatus.BAD_REQUEST,
    errors.RefreshTokenReused: HTTPStatus.BAD_REQUEST,
    errors.SessionNotFound: HTTPStatus.NOT_FOUND,
    errors.CrossSite: HTTPStatus.FORBIDDEN,
    errors.UserNotFound: HTTPStatus.NOT_FOUND,
    errors.GroupNotFound: HTTPStatus.NOT_FOUND,
    errors.GroupForbidden: HTTPStatus.FORBIDDEN,
    errors.GroupNameTaken: HTTPStatus.CONFLICT,
    errors.MemberNotFound: HTTPStatus.NOT_FOUND,
    errors.AlreadyMember: HTTPStatus.CONFLICT,
    errors.InvitationExists: HTTPStatus.CONFLICT,
    errors.InvitationNotFound: HTTPStatus.NOT_FOUND,
    errors.InvitationBadToken: HTTPStatus.BAD_REQUEST,
    errors.InvitationOtherAddress: HTTPStatus.FORBIDDEN,
    errors.LastOwner: HTTPStatus.CONFLICT,
    errors.ImportInvalid: HTTPStatus.UNPROCESSABLE_CONTENT,
    errors.UserInactive: HTTPStatus.CONFLICT,
    errors.LastSuperuser: HTTPStatus.CONFLICT,
    errors.TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Busy: HTTPStatus.SERVICE_UNAVAILABLE,
}
HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},  # RFC 9110, 11.6.1
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "2"},
}
# What these say of the input comes from the schema alone. Every other message could repeat what was sent.
SAFE_ERROR_TYPES = frozenset(
    [
        "missing",
        "string_type",
        "string_too_short",
        "string_too_long",
        "string_unicode",
        "email",
        "int_type",
        "int_parsing",
        "bool_type",
        "greater_than_equal",
        "less_than_equal",
        "literal_error",
        "enum",
        "dict_type",
        "model_attributes_type",
        "json_invalid",
    ]
)


class InvalidField(BaseModel):
    """What is wrong with one part of a request; never its value."""

    loc: list[str | int] = Field(examples=[["body", "email"]])
    msg: str = Field(examples=["Input should be an e-mail address"])
    type: str = Field(examples=["email"])


class BlockingGroup(BaseModel):
    """A group that nobody else owns."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(examples=[1])
    name: str = Field(examples=["Round Table"])


class Problem(BaseModel):
    """Problem details (RFC 9457). ``detail`` is a stable code."""

    title: str = Field(examples=["Bad Request"])
    status: int = Field(examples=[400])
    detail: str = Field(examples=["LOGIN_BAD_CREDENTIALS"])
    reason: str | Absent = Field(
        default_factory=lambda: None, description="For people, where the code alone does not say enough."
    )
    errors: list[InvalidField] | Absent = Field(
        default_factory=lambda: None, description="With REQUEST_INVALID and IMPORT_INVALID."
    )
    groups: list[BlockingGroup] | Absent = Field(default_factory=lambda: None, description="With LAST_OWNER only.")


def problem(status: HTTPStatus, detail: str | None = None, **members: Any) -> JSONResponse:
    """Make an answer of problem details; without ``detail`` the status's own name is the code."""
    body = Problem(title=status.phrase, status=status, detail=detail or status.name, **members).model_dump(
        exclude_none=True
    )
    return JSONResponse(body, status, HEADERS.get(status), PROBLEM)


async def handle_refusal(_: Request, error: errors.Refusal) -> JSONResponse:
    """Answer a refusal of the domain with its code."""
    return problem(STATUS[type(error)], error.code, reason=error.reason)


async def handle_rate_limit(request: Request, error: errors.TooManyAttempts) -> JSONResponse:
    """Say when to come back: Retry-After (RFC 9110, 10.2.3), and the limit as draft-ietf-httpapi-ratelimit-headers."""
    answer = await handle_refusal(request, error)
    answer.headers["Retry-After"] = str(error.seconds)
    answer.headers.update(rate_limit(error.attempts, error.period, remaining=0, seconds=error.seconds))
    return answer


async def handle_last_owner(_: Request, error: errors.LastOwner) -> JSONResponse:
    """Name the groups that are in the way; whoever is told owns them, or is a superuser."""
    return problem(STATUS[type(error)], error.code, groups=error.groups)


async def handle_import_errors(_: Request, error: errors.ImportInvalid) -> JSONResponse:
    """Say what is wrong with which lines of a file, in the form of ``invalid``, and never repeat a value."""
    fields = [
        {"loc": ["body", line, *([] if column is None else [column])], "msg": msg, "type": kind}
        for line, column, kind, msg in error.faults
    ]
    return problem(STATUS[type(error)], error.code, errors=fields)


async def handle_reauthentication(request: Request, error: errors.ReauthenticationRequired) -> JSONResponse:
    """Ask for a sign-in as RFC 9470 does, but with 403: clients answer 401 by refreshing, which proves nothing."""
    answer = await handle_refusal(request, error)
    answer.headers["WWW-Authenticate"] = f'Bearer error="insufficient_user_authentication", max_age="{error.seconds}"'
    return answer


def rate_limit(attempts: int, period: int, *, remaining: int, seconds: int) -> dict[str, str]:
    """Write a limit of ``attempts`` in ``period`` seconds, and how much of it is there for how many ``seconds``."""
    return {
        "RateLimit-Policy": f'"default";q={attempts};w={period}',
        "RateLimit": f'"default";r={remaining};t={seconds}',
    }


async def handle_http_exception(request: Request, error: HTTPException) -> JSONResponse:
    """Answer FastAPI's and Starlette's own errors with the status's name."""
    status = HTTPStatus(error.status_code)
    answer = problem(status, reason=error.detail if error.detail != status.phrase else None)
    answer.headers.update(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(_allowed(request))
    return answer


def _allowed(request: Request) -> list[str]:
    """All methods of the path (RFC 9110, 15.5.6); Starlette names those of the first route that has it."""
    scope, routes = dict(request.scope), request.app.routes
    return [
        method
        for method in METHODS
        if any(route.matches(scope | {"method": method})[0] is Match.FULL for route in routes)
    ]


async def handle_validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
    """Say what is wrong with which field, and never repeat a value."""
    fields = [
        {
            "loc": each["loc"],
            "type": each["type"],
            "msg": each["msg"] if each["type"] in SAFE_ERROR_TYPES else "Invalid input",
        }
        for each in error.errors()
    ]
    # What two dependencies read is complained of twice.
    unique = [each for number, each in enumerate(fields) if each not in fields[:number]]
    return problem(HTTPStatus.UNPROCESSABLE_CONTENT, "REQUEST_INVALID", errors=unique)


async def handle_database_error(_: Request, error: Exception) -> JSONResponse:
    """Answer an outage of the database with 503; let a mistake in a statement be the 500 that it is."""
    if not is_unavailable(error):
        raise error
    wrapped = getattr(error, "orig", None)
    log.warning("database unavailable: %s", type(wrapped.__cause__ or wrapped if wrapped else error).__name__)
    return problem(HTTPStatus.SERVICE_UNAVAILABLE)


async def handle_unexpected_error(_: Request, __: Exception) -> JSONResponse:
    """Tell nothing about a bug; the server logs the traceback."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR)


def add_handlers(app: FastAPI, otherwise: Callable[[Handler], Handler]) -> None:
    """Let every error of ``app`` answer with problem details, of which ``otherwise`` may make something else."""
    handlers: dict[type[Exception], Handler] = {
        errors.TooManyAttempts: handle_rate_limit,
        errors.ReauthenticationRequired: handle_reauthentication,
        errors.LastOwner: handle_last_owner,
        errors.ImportInvalid: handle_import_errors,
        errors.Refusal: handle_refusal,
        HTTPException: handle_http_exception,
        RequestValidationError: handle_validation_error,
        **dict.fromkeys(DATABASE_ERRORS, handle_database_error),
        Exception: handle_unexpected_error,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, otherwise(also_for_oauth(handler)))
