"""The operations of the OpenAPI document, for tests that walk all of them, also those that are added later."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from fastapi import FastAPI
from starlette.routing import Route

from accounts.api.account_pages.router import MODULES as ACCOUNT_PAGES
from accounts.api.admin_pages.router import MODULES as ADMIN_PAGES
from accounts.api.app import create_app


def _pages() -> dict[str, Any]:
    app = FastAPI()
    for module in (*ACCOUNT_PAGES, *ADMIN_PAGES):
        app.include_router(module.router)
    return app.openapi()


PATH_VALUES = {
    "group_id": "1",
    "invitation_id": "1",
    "import_id": "1",
    "user_id": str(UUID(int=1)),
    "session_id": str(UUID(int=1)),
    "account_id": str(UUID(int=1)),
    "secret_id": str(UUID(int=1)),
    "passkey_id": str(UUID(int=1)),
    "token_id": str(UUID(int=1)),
    "identity_id": str(UUID(int=1)),
    "mail_id": str(UUID(int=1)),
    "provider": "unknown",
    "action": "deactivate",
    "name": "sent",
    "path": "start.js",
}
CLIENT_SECRET: Any = [{"ClientSecret": []}]  # of a program, which is no user's credential
APP = create_app()
DOCUMENT = APP.openapi()
PAGES = _pages()
SCHEMAS = PAGES["components"]["schemas"] | DOCUMENT["components"]["schemas"]


class Operation(NamedTuple):
    """An operation; ``url`` is its path with values for the parameters."""

    method: str
    path: str
    description: dict[str, Any]

    @property
    def url(self) -> str:
        return self.path.format_map(PATH_VALUES)

    @property
    def is_safe(self) -> bool:
        return self.method in {"get", "head"}

    @property
    def needs_user(self) -> bool:
        security: Any = self.description.get("security", CLIENT_SECRET)
        return bool(security != CLIENT_SECRET)

    @property
    def is_form(self) -> bool:
        return "application/x-www-form-urlencoded" in self.description.get("requestBody", {}).get("content", {})

    def fields(self) -> dict[str, dict[str, Any]]:
        """Return the schemas of the fields of the body by name."""
        fields: dict[str, dict[str, Any]] = {}
        for content in self.description.get("requestBody", {}).get("content", {}).values():
            schema = resolve(content.get("schema", {}))
            for body in (schema, *map(resolve, (*schema.get("anyOf", ()), *schema.get("allOf", ())))):
                fields |= body.get("properties", {})
        return fields


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference to a component."""
    if "$ref" in schema:
        return resolve(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    return schema


def operations(document: dict[str, Any] = DOCUMENT) -> Iterator[Operation]:
    """Yield all operations of the API."""
    for path, methods in document["paths"].items():
        for method, description in methods.items():
            yield Operation(method, path, description)


def page_operations() -> Iterator[Operation]:
    """Yield all operations of the pages, which the document leaves out."""
    yield from operations(PAGES)


def _is_text(schema: dict[str, Any]) -> bool:
    schemas = [resolve(each) for each in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ()))]
    return any(each.get("type") == "string" for each in schemas)


def text_fields() -> Iterator[tuple[Operation, str, str]]:
    """Yield (operation, where, name) for every text that a client can send."""
    for operation in (*operations(), *page_operations()):
        for parameter in operation.description.get("parameters", ()):
            if parameter["in"] in {"query", "header"} and _is_text(parameter["schema"]):
                yield operation, parameter["in"], parameter["name"]
        for name, field in operation.fields().items():
            if _is_text(field):
                yield operation, "data" if operation.is_form else "json", name


def get_paths() -> Iterator[str]:
    """Yield the paths of all GET routes, with names of parameters, also those that OpenAPI leaves out."""
    yield from (each.path for each in (*operations(), *page_operations()) if each.method == "get")
    yield from (route.path for route in APP.routes if type(route) is Route)
    yield "/account/static/site.css"
    yield "/account/static/passkey.js"
    yield "/account/static/progress.js"


def name_of(operation: Operation) -> str:
    """Return the name of a test's case."""
    return f"{operation.method} {operation.path}"
