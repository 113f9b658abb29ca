"""The OpenAPI document: FastAPI's own, extended by every problem that a route can return, each with an example."""

from http import HTTPStatus
from types import ModuleType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from accounts.api.oauth_errors import JSON, TOKEN_ENDPOINTS, TokenProblem, token_problem
from accounts.api.openapi_fields import describe_fields
from accounts.api.problems import INVALID, PROBLEM_JSON, STATUS, Problem, summary
from accounts.api.scopes import required_scope
from accounts.domain import errors
from accounts.domain.errors import Refusal
from accounts.models import Scope

DESCRIPTION = """Users, sign-in and groups for your services. All paths are below **{url}**.

## Your first call

Sign in with the email and the password of your account. The answer has an access token:

```sh
curl {url}/auth/jwt/login -d username=me@example.com -d password=my-password
```

Send it with each request:

```sh
curl {url}/users/me -H "Authorization: Bearer ACCESS_TOKEN"
```

No account yet? `POST /auth/register` creates one. On this page, **Authorize** signs you in, and **Try it out** sends a
request. Applications in a browser may use a cookie: `POST /auth/cookie/login`.

## What all operations share

Programs send a personal access token instead. Each operation names the scope that it needs; the others refuse programs.

**Errors** are [problem details](https://www.rfc-editor.org/rfc/rfc9457). Their `detail` is a stable code, listed with
each operation.

**Lists** are JSON arrays, up to `limit` items at a time. The `Link` header of each page has the URLs of the others.

**Rate limits** are in the `RateLimit` header. A request over the limit gets 429 and `Retry-After`, in seconds.
"""
STATUS_SUMMARIES = {
    HTTPStatus.BAD_REQUEST: "The body cannot be parsed.",
    HTTPStatus.UNAUTHORIZED: "The access token or cookie is missing, invalid or expired, or its session has ended.",
    HTTPStatus.FORBIDDEN: "Requires a superuser.",
    HTTPStatus.CONTENT_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body has the wrong media type.",
    HTTPStatus.UNPROCESSABLE_CONTENT: "The request does not match the schema; `errors` names the invalid fields.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is unavailable. Try again shortly.",
}
INVALID_FIELDS = [{"loc": ["body", "email"], "msg": "Field required", "type": "missing"}]
REFERENCE = "#/components/schemas/{model}"
ACCESS_KEY = "AccessKey"
ACCESS_KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "A personal access token, or the access token of a service account. It needs the scope listed.",
}
Responses = dict[int | str, dict[str, Any]]

# The body of routes that return nothing. FastAPI would document an arbitrary value.
NO_BODY: dict[str, Any] = {"content": {JSON: {"schema": {"type": "null"}}}}
AUTHENTICATED = (HTTPStatus.UNAUTHORIZED,)
SUPERUSER = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, errors.AssuranceRequired)


def problems(*causes: type[Refusal] | HTTPStatus) -> Responses:
    """Describe the refusals of the domain, and the bare statuses, that a route can return."""
    responses: Responses = {}
    for cause in causes:
        text = STATUS_SUMMARIES[cause] if isinstance(cause, HTTPStatus) else summary(cause)
        problem = _example(cause)
        response = responses.setdefault(problem.status, _empty_response())
        response["description"] += f"`{problem.detail}`: {text}\n\n"
        example = {"summary": text, "value": problem.model_dump(exclude_none=True)}
        response["content"][PROBLEM_JSON]["examples"][problem.detail] = example
    return responses


def _example(cause: type[Refusal] | HTTPStatus) -> Problem:
    if cause is HTTPStatus.UNPROCESSABLE_CONTENT:
        return Problem.from_status(cause, INVALID, errors=INVALID_FIELDS)
    if isinstance(cause, HTTPStatus):
        return Problem.from_status(cause)
    return Problem.from_status(STATUS[cause], cause.code)


def _empty_response() -> dict[str, Any]:
    schema = {"$ref": REFERENCE.format(model="Problem")}
    return {"description": "", "content": {PROBLEM_JSON: {"schema": schema, "examples": {}}}}


def tags_of(*modules: ModuleType) -> list[dict[str, Any]]:
    """Describe the tags in the order of ``modules``, each by the docstring of the first module that has it."""
    descriptions: dict[str, str] = {}
    for module in modules:
        for tag in module.router.tags[:1]:
            descriptions.setdefault(tag, summary(module))
    return [{"name": name, "description": description} for name, description in descriptions.items()]


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document. It is generated once, with the responses that are common to all operations."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, tags=app.openapi_tags, routes=app.routes
        )
        _add_problem_models(document["components"]["schemas"])
        document["components"]["securitySchemes"][ACCESS_KEY] = ACCESS_KEY_SCHEME
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if "security" in operation:
                    _describe_scope(operation, required_scope(method.upper(), path))
                _add_common_responses(operation, writes=method not in {"get", "head"})
                _mark_auth_optional(operation)
                if "{provider}" in path:
                    _describe_pages(operation)
                if path in TOKEN_ENDPOINTS:
                    _describe_oauth_errors(operation)
        describe_fields(document)
        app.openapi_schema = document
    return app.openapi_schema


def _add_problem_models(schemas: dict[str, Any]) -> None:
    for model in (Problem, TokenProblem):
        schema = model.model_json_schema(ref_template=REFERENCE)
        schemas |= schema.pop("$defs") | {model.__name__: schema}
    for replaced in ("HTTPValidationError", "ValidationError"):
        schemas.pop(replaced, None)


def _describe_scope(operation: dict[str, Any], scope: Scope | None) -> None:
    """Describe whether programs may call an operation, and with which scope."""
    refusal: type[Refusal] = errors.InsufficientScope if scope else errors.NotWithAKey
    _add_responses(operation, refusal)
    if scope:
        operation["security"].append({ACCESS_KEY: [scope]})
        operation["description"] += f"\n\nScope for programs: `{scope}`."


def _add_common_responses(operation: dict[str, Any], *, writes: bool) -> None:
    common: list[type[Refusal] | HTTPStatus] = []
    if JSON in operation["responses"].get("422", {}).get("content", {}):  # FastAPI's own description
        del operation["responses"]["422"]
        common.append(HTTPStatus.UNPROCESSABLE_CONTENT)
    if "requestBody" in operation:
        common += [HTTPStatus.BAD_REQUEST, HTTPStatus.CONTENT_TOO_LARGE]
        if "415" not in operation["responses"]:
            common.append(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if writes and "security" in operation and "429" not in operation["responses"]:
        common.append(errors.TooManyAttempts)
    if "health" not in operation.get("tags", ()):
        common.append(HTTPStatus.SERVICE_UNAVAILABLE)
    _add_responses(operation, *common)
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _add_responses(operation: dict[str, Any], *causes: type[Refusal] | HTTPStatus) -> None:
    for status, addition in problems(*causes).items():
        response = _empty_response() | operation["responses"].get(str(int(status)), {})
        response["description"] += addition["description"]
        # A route may describe a status in FastAPI's way, without problem details.
        content = _empty_response()["content"] | response["content"]
        content[PROBLEM_JSON]["examples"] |= addition["content"][PROBLEM_JSON]["examples"]
        operation["responses"][str(int(status))] = response | {"content": content}


def _describe_pages(operation: dict[str, Any]) -> None:
    """Say that browsers that are on their way to an account page get refusals as a page, too."""
    for response in operation["responses"].values():
        if PROBLEM_JSON in response.get("content", {}):
            response["content"]["text/html"] = {"schema": {"type": "string"}}


def _mark_auth_optional(operation: dict[str, Any]) -> None:
    """Mark authentication as optional where a route accepts a token but never answers 401."""
    if "security" in operation and "401" not in operation["responses"]:
        operation["security"].append({})


def _describe_oauth_errors(operation: dict[str, Any]) -> None:
    """Turn the problems of a token endpoint into OAuth 2.0 errors. What is 422 elsewhere is 400 there."""
    responses = operation["responses"]
    invalid = responses.pop("422")
    responses["400"]["description"] += invalid["description"]
    responses["400"]["content"][PROBLEM_JSON]["examples"] |= invalid["content"][PROBLEM_JSON]["examples"]
    for response in responses.values():
        if content := response["content"].pop(PROBLEM_JSON, None):
            for example in content["examples"].values():
                example["value"] = token_problem(Problem(**example["value"])).model_dump(exclude_none=True)
            content["schema"] = {"$ref": REFERENCE.format(model="TokenProblem")}
            response["content"][JSON] = content
