"""Refusals: rules of the domain that an operation breaks. They know no HTTP; ``api.problems`` maps them to statuses."""

from typing import ClassVar


class Refusal(Exception):  # noqa: N818  # each is named for its rule
    """A rule refuses the operation.

    ``code`` is stable, for programs. The docstring's first line, which OpenAPI shows, and ``reason`` are for people.
    """

    code: ClassVar[str]

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(self.code)
        self.reason = reason
