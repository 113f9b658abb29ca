"""A restore, for the tests of its steps."""

from support.restores import restoring

__all__ = ["restoring"]
