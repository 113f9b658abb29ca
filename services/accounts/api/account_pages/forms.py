"""Forms: what browsers send for empty and long fields, and which forms are shown again when they are refused."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator

BLANK = BeforeValidator(lambda value: value or None)  # browsers send the fields that are left empty, too
# They send lines with CRLF (HTML, 4.10.21.7).
LINES = BeforeValidator(lambda text: text.replace("\r\n", "\n") if isinstance(text, str) else text)
# Forms that are shown again when they are refused.
FORMS = {
    "sign-in",
    "sign-in-code",
    "enter-code",
    "register",
    "complete-registration",
    "verify",
    "confirm-email",
    "undo-email",
    "forgot-password",
    "reset-password",
    "change-password",
    "invitation",
    "second-factor",
    "confirm",
    "authenticator-app",
    "new-group",
    "new-token",
    "profile",
    "change-email",
    "delete-account",
    "admin/new-user",
}
FORMS_WITH_VALUES = {
    "change-password",
    "second-factor",
    "confirm",
    "authenticator-app",
    "new-token",
    "profile",
    "change-email",
    "delete-account",
}  # see ``kept_values``
# Forms that are parts of another page.
PAGE_OF_FORM = {"sign-in/passkey": "sign-in"}
# Pages with buttons whose paths are not below their own.
PAGE_OF_BUTTON = {"rename-passkey": "passkeys", "confirm-code": "confirm"}


async def sent_texts(request: Request) -> dict[str, str]:
    """Return the fields of the form that the route has read, without files."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def kept_values(request: Request) -> dict[str, Any]:
    """Return the values that the template of the request's page needs, also if its form is shown again.

    A dependency of the route sets them, since it runs before the form is validated.
    """
    if not hasattr(request.state, "values"):
        request.state.values = {}
    values: dict[str, Any] = request.state.values
    return values


def show_form_again(request: Request, form: str, values: Mapping[str, Any]) -> None:
    """Have the form of a page whose path has ids shown again if it is refused, by a template that needs ``values``."""
    request.state.form_page = form
    kept_values(request).update(values)


def missing_field(name: str) -> RequestValidationError:
    """Return the error of a field that a form needs in some cases only."""
    return RequestValidationError([{"type": "missing", "loc": ("body", name), "msg": "Field required"}])
