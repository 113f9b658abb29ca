"""The navigation of signed-in users. Each module of pages adds its own entries, so a removed room takes them along."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry: the path of its page, below that of all pages of its kind, and texts to translate."""

    page: str
    text: str
    hint: str = ""


def navigation(modules: Iterable[ModuleType]) -> tuple[NavItem, ...]:
    """Return the entries of modules (``NAV``), in their order."""
    return tuple(item for module in modules for item in getattr(module, "NAV", ()))
