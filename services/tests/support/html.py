"""Reads HTML as a browser does, for tests of pages."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import override

VOID = frozenset(["br", "img", "input", "link", "meta"])


@dataclass
class Element:
    """An element with its attributes and all of the text in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """All elements of a page, in document order."""

    html: str
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []
        self.feed(self.html)
        self.close()

    def find(self, tag: str = "", **attributes: str) -> list[Element]:
        """Return the elements with a tag and with these attributes; in names, ``_`` stands for ``-``."""
        wanted = {name.strip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            found for found in self.elements if tag in {"", found.tag} and wanted.items() <= found.attributes.items()
        ]

    def one(self, tag: str = "", **attributes: str) -> Element:
        """Return the only such element."""
        [element] = self.find(tag, **attributes)
        return element

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    @override
    def handle_endtag(self, tag: str) -> None:
        closed = self._open.pop()
        assert closed.tag == tag, f"<{closed.tag}> is closed by </{tag}>"

    @override
    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text = " ".join((element.text + data).split()) if data.strip() else element.text + " "
