"""The API's description: every refusal that a route can answer with, as problem details with an example."""

from http import HTTPStatus
from types import ModuleType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import Field

from accounts.api.oauth_errors import JSON, TOKEN_ENDPOINTS, error_of
from accounts.api.problems import PROBLEM, STATUS, Problem
from accounts.domain.errors import Refusal


class TokenProblem(Problem):
    """Problem details that are an error of OAuth 2.0, too (RFC 6749, 5.2)."""

    error: str = Field(examples=["invalid_grant"])
    error_description: str = Field(examples=["The address or the password is wrong, or the user is inactive."])


Responses = dict[int | str, dict[str, Any]]
REFERENCE = "#/components/schemas/{model}"


def problems(*refusals: type[Refusal] | HTTPStatus) -> Responses:
    """Describe the domain's refusals, and the bare statuses, that a route can answer with."""
    responses: Responses = {}
    for each in refusals:
        status, code, text = _describe(each)
        example = Problem(title=status.phrase, status=status, detail=code).model_dump(exclude_none=True)
        response = responses.setdefault(status, _empty())
        response["description"] += f"`{code}`: {text}\n\n"
        response["content"][PROBLEM]["examples"][code] = {"summary": text, "value": example}
    return responses


def _describe(each: type[Refusal] | HTTPStatus) -> tuple[HTTPStatus, str, str]:
    if isinstance(each, HTTPStatus):
        return each, each.name, each.description or each.phrase
    return STATUS[each], each.code, (each.__doc__ or "").splitlines()[0]


def _empty() -> dict[str, Any]:
    return {
        "description": "",
        "content": {PROBLEM: {"schema": {"$ref": REFERENCE.format(model="Problem")}, "examples": {}}},
    }


def tags_of(*modules: ModuleType) -> list[dict[str, Any]]:
    """Describe the tags in this order, each by the first line of the first module whose routes have it."""
    lines: dict[str, str] = {}
    for each in modules:
        lines.setdefault(each.router.tags[0], (each.__doc__ or "").splitlines()[0])
    return [{"name": name, "description": line} for name, line in lines.items()]


# What a route answers that returns nothing; FastAPI would describe it as anything.
NO_BODY: dict[str, Any] = {"content": {JSON: {"schema": {"type": "null"}}}}
AUTHENTICATED = (HTTPStatus.UNAUTHORIZED,)
SUPERUSER = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def describe(app: FastAPI) -> dict[str, Any]:
    """Make the OpenAPI document, once, adding to each operation what all of its kind can answer."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, tags=app.openapi_tags, routes=app.routes
        )
        _add_problem_model(document["components"]["schemas"])
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _add_common_responses(operation)
                _let_strangers_in(operation)
                if path in TOKEN_ENDPOINTS:
                    _add_oauth(operation)
        app.openapi_schema = document
    return app.openapi_schema


def _add_problem_model(schemas: dict[str, Any]) -> None:
    for model in (Problem, TokenProblem):
        schema = model.model_json_schema(ref_template=REFERENCE)
        schemas |= schema.pop("$defs") | {model.__name__: schema}
    for replaced in ("HTTPValidationError", "ValidationError"):
        schemas.pop(replaced, None)


def _add_common_responses(operation: dict[str, Any]) -> None:
    common: list[type[Refusal] | HTTPStatus] = []
    if operation["responses"].pop("422", None):
        common.append(HTTPStatus.UNPROCESSABLE_CONTENT)
    if "requestBody" in operation:
        common += [HTTPStatus.BAD_REQUEST, HTTPStatus.CONTENT_TOO_LARGE]
    if "503" not in operation["responses"] and "health" not in operation["tags"]:
        common.append(HTTPStatus.SERVICE_UNAVAILABLE)
    for status, addition in problems(*common).items():
        response = operation["responses"].setdefault(str(int(status)), _empty())
        response["description"] += addition["description"]
        response["content"][PROBLEM]["examples"] |= addition["content"][PROBLEM]["examples"]


def _let_strangers_in(operation: dict[str, Any]) -> None:
    """Say of a route that takes a token and needs none that none will do, too."""
    if "security" in operation and "401" not in operation["responses"]:
        operation["security"].append({})


def _add_oauth(operation: dict[str, Any]) -> None:
    for response in operation["responses"].values():
        if described := response["content"].pop(PROBLEM, None):
            for example in described["examples"].values():
                problem = example["value"]
                problem |= {"error": error_of(problem), "error_description": example["summary"]}
            described["schema"] = {"$ref": REFERENCE.format(model="TokenProblem")}
            response["content"][JSON] = described
