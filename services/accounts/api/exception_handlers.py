"""Exception handlers: each turns one kind of error into a ``Problem``, which is rendered in one place."""

import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from traceback import format_tb
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from accounts.api.account_pages.problem_pages import is_page, problem_page
from accounts.api.account_pages.redirects import application_url, redirect_with_problem
from accounts.api.authentication import FASTAPI_USERS_ERRORS
from accounts.api.client_authentication import CHALLENGE
from accounts.api.http_methods import allowed_methods
from accounts.api.oauth_errors import JSON, TOKEN_ENDPOINTS, token_problem
from accounts.api.problems import INVALID, Problem, rate_limit_headers
from accounts.db.errors import DATABASE_ERRORS, describe, is_unavailable
from accounts.domain import errors

# RFC 6750, 3.1. A request without a token gets the challenge alone.
REFUSED = 'Bearer error="invalid_token", error_description="The access token is invalid, expired or revoked"'
CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")  # as FastAPI Users' routers raise them, for example LOGIN_USER_NOT_VERIFIED
log = logging.getLogger("accounts")

# Messages of these types come from the schema alone. All others may repeat the input.
SAFE_ERROR_TYPES = frozenset(
    [
        "missing",
        "string_type",
        "string_too_short",
        "string_too_long",
        "string_unicode",
        "email",
        "date_time",
        "repeated",
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
MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")  # how Pydantic names a member of an enum in a Literal


async def render_problem(request: Request, problem: Problem) -> Response:
    """Render a problem as HTML on account pages, as an OAuth 2.0 error at token endpoints, and as JSON elsewhere.

    On the way to or from a provider, an application with pages of its own gets the code in the URL.
    """
    if is_page(request):
        return await problem_page(request, problem)
    if url := application_url(request):
        return redirect_with_problem(url, problem)
    if request.url.path in TOKEN_ENDPOINTS:
        return token_problem(problem).json_response(JSON)
    return problem.json_response()


def handle_refusal(_: Request, error: errors.Refusal) -> Problem:
    """Return a refusal of the domain."""
    return Problem.from_refusal(error)


def handle_fastapi_users_error(_: Request, error: Exception) -> Problem:
    """Return what FastAPI Users' manager raises as the refusal of the domain that says the same."""
    refusal = FASTAPI_USERS_ERRORS[type(error)]
    return Problem.from_refusal(refusal(getattr(error, "reason", None)))


def handle_rate_limit(_: Request, error: errors.TooManyAttempts) -> Problem:
    """Return an exhausted rate limit, with Retry-After (RFC 9110, 10.2.3)."""
    limit = rate_limit_headers(error.attempts, error.period, remaining=0, seconds=error.seconds)
    return Problem.from_refusal(error, headers={"Retry-After": str(error.seconds)} | limit)


def handle_import_in_progress(_: Request, error: errors.ImportInProgress) -> Problem:
    """Return that another import has to end first, with Retry-After. A large one takes about as long."""
    return Problem.from_refusal(error, headers={"Retry-After": "10"})


def handle_last_owner(_: Request, error: errors.LastOwner) -> Problem:
    """Return the groups that need another owner. The caller owns them, or is a superuser."""
    return Problem.from_refusal(error, reason=None, groups=error.groups)


def handle_invalid_import(_: Request, error: errors.ImportInvalid) -> Problem:
    """Return the invalid lines of a file like invalid fields: ``loc`` has the line's number and the column."""
    fields = [
        {"loc": ["body", line, *([] if column is None else [column])], "msg": msg, "type": kind}
        for line, column, kind, msg in error.faults
    ]
    return Problem.from_refusal(error, errors=fields)


def handle_reauthentication(_: Request, error: errors.ReauthenticationRequired) -> Problem:
    """Request a recent sign-in as RFC 9470 does, but with 403: clients would answer 401 with a token refresh."""
    level = f', acr_values="aal{error.level}"' if error.level > 1 else ""
    challenge = f'Bearer error="insufficient_user_authentication"{level}, max_age="{error.seconds}"'
    return Problem.from_refusal(error, headers={"WWW-Authenticate": challenge})


def handle_assurance(_: Request, error: errors.AssuranceRequired) -> Problem:
    """Request a second factor (RFC 9470, 3), with 403 as above."""
    challenge = 'Bearer error="insufficient_user_authentication", acr_values="aal2"'
    return Problem.from_refusal(error, headers={"WWW-Authenticate": challenge})


def handle_mfa(_: Request, error: errors.MfaRequired) -> Problem:
    """Return what finishes a sign-in."""
    return Problem.from_refusal(error, mfa_token=error.token, factors=error.factors)


def handle_scope(_: Request, error: errors.InsufficientScope) -> Problem:
    """Return the scope that is missing (RFC 6750, 3.1)."""
    challenge = f'Bearer error="insufficient_scope", scope="{error.scope}"'
    return Problem.from_refusal(error, headers={"WWW-Authenticate": challenge})


def handle_invalid_client(_: Request, error: errors.InvalidClient) -> Problem:
    """Return which authentication a client of OAuth 2.0 needs (RFC 6749, 5.2)."""
    return Problem.from_refusal(error, headers=CHALLENGE)


def handle_http_exception(request: Request, error: HTTPException) -> Problem:
    """Return an HTTPException of a route or a library. Its detail gives the code if it is one; else the status does."""
    status, detail = HTTPStatus(error.status_code), error.detail
    code = detail if isinstance(detail, str) and CODE.fullmatch(detail) else None
    headers = dict(error.headers or {})
    if status is HTTPStatus.UNAUTHORIZED and _sent_token(request):
        headers["WWW-Authenticate"] = REFUSED
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(allowed_methods(request)).replace("GET", "GET, HEAD")
    reason = None if code or detail == status.phrase else detail
    return Problem.from_status(status, code, reason=reason, headers=headers)


def _sent_token(request: Request) -> bool:
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    return scheme.lower() == "bearer" and bool(token)


def handle_validation_error(_: Request, error: RequestValidationError | ValidationError) -> Problem:
    """Return the invalid fields, never their values. Routes raise ValidationError when they validate an entity."""
    place: tuple[str, ...] = ()
    if isinstance(error, ValidationError):
        log.error("invalid %s in a route: %s", error.title, [fault["loc"] for fault in error.errors()])
        place = ("body",)
    fields = [
        {
            "loc": [*place, *fault["loc"]],
            "type": fault["type"],
            "msg": MEMBER.sub(r"\1", fault["msg"]) if fault["type"] in SAFE_ERROR_TYPES else "Invalid input",
        }
        for fault in error.errors()
    ]
    return Problem.from_status(HTTPStatus.UNPROCESSABLE_CONTENT, INVALID, errors=fields)


def handle_database_error(_: Request, error: Exception) -> Problem:
    """Return 503 for a database outage, and a refusal for a change that the database refuses.

    The latter is logged as an error, because a schema or a manager should have refused it. An error in a statement is a
    bug: it is raised again and becomes a 500.
    """
    for matches, refusal in errors.UNFORESEEN.items():
        if matches(error):
            frames = "".join(format_tb(error.__traceback__))
            log.error("unforeseen %s: %s\n%s", refusal.code, describe(error), frames)
            return Problem.from_refusal(refusal())
    if not is_unavailable(error):
        raise error
    wrapped = getattr(error, "orig", None)
    log.warning("database unavailable: %s", type(wrapped.__cause__ or wrapped if wrapped else error).__name__)
    return Problem.from_status(HTTPStatus.SERVICE_UNAVAILABLE)


def handle_unexpected_error(_: Request, __: Exception) -> Problem:
    """Return 500 without details; the server logs the traceback."""
    return Problem.from_status(HTTPStatus.INTERNAL_SERVER_ERROR)


Handler = Callable[[Request, Any], Problem]
HANDLERS: dict[type[Exception], Handler] = {
    errors.TooManyAttempts: handle_rate_limit,
    errors.ReauthenticationRequired: handle_reauthentication,
    errors.AssuranceRequired: handle_assurance,
    errors.MfaRequired: handle_mfa,
    errors.InsufficientScope: handle_scope,
    errors.InvalidClient: handle_invalid_client,
    errors.LastOwner: handle_last_owner,
    errors.ImportInProgress: handle_import_in_progress,
    errors.ImportInvalid: handle_invalid_import,
    errors.Refusal: handle_refusal,
    **dict.fromkeys(FASTAPI_USERS_ERRORS, handle_fastapi_users_error),
    HTTPException: handle_http_exception,
    RequestValidationError: handle_validation_error,
    ValidationError: handle_validation_error,
    **dict.fromkeys(DATABASE_ERRORS, handle_database_error),
    Exception: handle_unexpected_error,
}


def add_exception_handlers(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem."""
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, _rendering(handler))


def _rendering(handler: Handler) -> Callable[[Request, Exception], Any]:
    async def handle(request: Request, error: Exception) -> Response:
        return await render_problem(request, handler(request, error))

    return handle
