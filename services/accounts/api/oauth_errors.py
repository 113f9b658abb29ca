"""Errors of the token endpoints, for OAuth 2.0 clients too (RFC 6749, 5.2): ``error`` is next to ``detail``.

They are sent as ``application/json``, as the RFC requires, and malformed requests are 400 rather than 422.
"""

import re
from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field

from accounts.api.problems import STATUS, Problem, summary
from accounts.schemas.identity.auth import LoginForm, RefreshForm
from accounts.schemas.oauth import IntrospectionForm
from accounts.schemas.service_accounts import ClientCredentialsForm

JSON = "application/json"
TOKEN_ENDPOINTS = frozenset(
    ["/auth/jwt/login", "/auth/jwt/refresh", "/oauth/token", "/oauth/introspect", "/oauth/revoke"]
)
ERROR_BY_CODE = {
    **dict.fromkeys(("LOGIN_BAD_CREDENTIALS", "REFRESH_BAD_TOKEN", "REFRESH_TOKEN_REUSED"), "invalid_grant"),
    "MFA_REQUIRED": "mfa_required",
    "INVALID_CLIENT": "invalid_client",
    "INVALID_SCOPE": "invalid_scope",
    "INSUFFICIENT_SCOPE": "insufficient_scope",
}
ERROR_BY_STATUS = {
    HTTPStatus.UNAUTHORIZED: "invalid_client",
    HTTPStatus.TOO_MANY_REQUESTS: "temporarily_unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE: "temporarily_unavailable",
    HTTPStatus.INTERNAL_SERVER_ERROR: "server_error",
}
ERROR_BY_FIELD = {"grant_type": "unsupported_grant_type", "scope": "invalid_scope"}
PARAMETERS = (
    LoginForm.model_fields
    | RefreshForm.model_fields
    | IntrospectionForm.model_fields
    | ClientCredentialsForm.model_fields
)
SUMMARY_BY_CODE = {refusal.code: summary(refusal) for refusal in STATUS}
NOT_ALLOWED = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")  # in an error_description


class TokenProblem(Problem):
    """Problem details that are an OAuth 2.0 error too (RFC 6749, 5.2)."""

    error: str = Field(description="OAuth 2.0's code.", examples=["invalid_grant"])
    error_description: str = Field(
        description="An explanation for people.", examples=["Wrong email or password, or the user is inactive."]
    )


def token_problem(problem: Problem) -> TokenProblem:
    """Extend a problem by OAuth 2.0's members."""
    description = NOT_ALLOWED.sub("", _describe(problem))
    if problem.status == HTTPStatus.UNPROCESSABLE_CONTENT:
        problem = Problem.from_status(HTTPStatus.BAD_REQUEST, **problem.model_dump(exclude={"title", "status"}))
    return TokenProblem(**dict(problem), error=_error_code(problem), error_description=description)


async def refuse_repeated_parameters(request: Request) -> None:
    """Refuse parameters that are sent more than once (RFC 6749, 3.2). FastAPI would take the last one.

    Raises:
        RequestValidationError: names them.

    """
    form = await request.form()
    repeated = [name for name in PARAMETERS if len(form.getlist(name)) > 1]
    if repeated:
        message = "Parameter is sent more than once"
        raise RequestValidationError([{"type": "repeated", "loc": ("body", name), "msg": message} for name in repeated])


def _error_code(problem: Problem) -> str:
    for field in problem.errors or ():
        if field.loc[-1] in ERROR_BY_FIELD and field.type not in {"missing", "repeated"}:
            return ERROR_BY_FIELD[str(field.loc[-1])]
    return ERROR_BY_CODE.get(problem.detail) or ERROR_BY_STATUS.get(HTTPStatus(problem.status), "invalid_request")


def _describe(problem: Problem) -> str:
    if problem.errors:
        return "Missing or invalid: " + ", ".join(dict.fromkeys(str(field.loc[-1]) for field in problem.errors))
    return problem.reason or SUMMARY_BY_CODE.get(problem.detail, problem.title)
