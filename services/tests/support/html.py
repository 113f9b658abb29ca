"""Reads HTML as a browser does, for tests of pages. Each page that a test reads is validated."""

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import override

import turbohtml
from turbohtml import conformance

VOID = frozenset(["br", "img", "input", "link", "meta"])
# A parser takes any name for an attribute, also two names that were glued together.
ATTRIBUTES = re.compile(
    r"aria-(current|describedby|hidden|invalid|label|labelledby)"
    r"|data-(accepted|autofill|fault|label|live|open|options|passkey|without-passkeys)"
    r"|accept|action|alt|autocapitalize|autocomplete|autofocus|charset|checked|class|colspan|content|cx|cy|d|datetime"
    r"|disabled|download|dx|dy|enctype|for|height|hidden|href|id|inputmode|lang|max|maxlength|method|min|minlength|name"
    r"|open|points|preserveaspectratio|r|readonly|rel|required|role|rows|rx|scope|selected|spellcheck|src|step|tabindex"
    r"|text-anchor|title|transform|type|value|viewbox|width|x|x1|x2|y|y1|y2"
)
REFERENCES = ("for", "aria-describedby", "aria-labelledby")


@dataclass
class Element:
    """An element with its attributes and all of the text in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    form: "Element | None" = None
    in_header: bool = False
    in_footer: bool = False


@dataclass
class Page(HTMLParser):
    """All elements of a valid page, in document order."""

    html: str
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []
        self.feed(self.html)
        self.close()
        self.validate()

    def validate(self) -> None:
        """Require what the HTML standard does, and that labels, hints and messages belong to their fields."""
        assert not self._open, f"<{self._open[-1].tag}> is not closed"
        report = conformance.check(turbohtml.parse(self.html, strict=True))
        assert report.messages == ()
        for element in self.elements:
            unknown = [name for name in element.attributes if not ATTRIBUTES.fullmatch(name)]
            assert not unknown, f"<{element.tag}> has {unknown}"
        ids = Counter(each.attributes["id"] for each in self.elements if "id" in each.attributes)
        referenced = {
            id_ for each in self.elements for name in REFERENCES for id_ in each.attributes.get(name, "").split()
        }
        assert referenced <= ids.keys()
        for fault in self.find(class_="fault"):
            assert fault.text
            assert fault.attributes["id"] in referenced
        for each in self.fields():
            self._validate_field(each)

    def _validate_field(self, element: Element) -> None:
        attributes = element.attributes
        assert len(self.find("label", for_=attributes["id"])) == 1
        described = attributes.get("aria-describedby", "").split()
        faults = [each.attributes["id"] for each in self.find(class_="fault")]
        assert ("aria-invalid" in attributes) is any(name in faults for name in described)

    def fields(self) -> list[Element]:
        """Return the fields that a person fills in or reads."""
        fields = [*self.find("input"), *self.find("select"), *self.find("textarea")]
        return [each for each in fields if each.attributes.get("type") != "hidden"]

    def find(self, tag: str = "", **attributes: str) -> list[Element]:
        """Return the elements between header and footer with a tag and with these attributes.

        In names of attributes, ``_`` stands for ``-``.
        """
        return [each for each in self._find(tag, attributes) if not (each.in_header or each.in_footer)]

    def navigation(self) -> list[Element]:
        """Return the links and buttons of the header."""
        found = [*self._find("a", {}), *self._find("button", {})]
        return [each for each in found if each.in_header]

    def footer(self, tag: str = "") -> list[Element]:
        """Return the elements of the footer."""
        return [each for each in self._find(tag, {}) if each.in_footer]

    def _find(self, tag: str, attributes: dict[str, str]) -> list[Element]:
        wanted = {name.strip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [each for each in self.elements if tag in {"", each.tag} and wanted.items() <= each.attributes.items()]

    def one(self, tag: str = "", **attributes: str) -> Element:
        """Return the only such element."""
        [element] = self.find(tag, **attributes)
        return element

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        form = next((each for each in self._open if each.tag == "form"), None)
        element = Element(tag, {name: value or "" for name, value in attrs}, form=form)
        element.in_header, element.in_footer = (
            any(each.tag == area for each in self._open) for area in ("header", "footer")
        )
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    @override
    def handle_endtag(self, tag: str) -> None:
        closed = self._open.pop()
        assert closed.tag == tag, f"<{closed.tag}> is closed by </{tag}>"

    @override
    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text = " ".join((element.text + data).split()) if data.strip() else element.text + " "
