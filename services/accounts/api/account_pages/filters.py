"""Filters of lists: one that cannot be used is neither ignored nor a page of its own, but a fault at its field."""

from http import HTTPStatus
from typing import Any, Self

from fastapi import Request
from pydantic import ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator

from accounts.api.account_pages.field_messages import FIELD_MESSAGES, INVALID_FIELD
from accounts.api.account_pages.render import Failure, request_language
from accounts.schemas.pagination import Page, PageQuery
from accounts.translations import N_

CHOOSE = N_("Choose one from the list.")
MESSAGES = FIELD_MESSAGES | dict.fromkeys(("enum", "literal_error"), CHOOSE)
NOTHING: Page[Any] = Page([], None, None, "")


class Filters(PageQuery):
    """What the form of a list sends. Values that cannot be used are left out, and their fields have a fault."""

    _faults: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _leave_out_faulty(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            faults = {str(each["loc"][0]): MESSAGES.get(each["type"], INVALID_FIELD) for each in error.errors()}
            if faults.keys() & PageQuery.model_fields.keys():  # links set them, not fields
                raise
        filters = handler({name: value for name, value in values.items() if name not in faults})
        filters.faults.update(faults)
        return filters

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong, by field, to translate."""
        return self._faults

    @property
    def status(self) -> HTTPStatus:
        """The status of the page."""
        return HTTPStatus.UNPROCESSABLE_CONTENT if self.faults else HTTPStatus.OK

    def failure(self, request: Request) -> Failure | None:
        """Return what the page says about the faults."""
        return Failure.translated(request_language(request), self.faults) if self.faults else None
