"""The documentation agrees with the code: links, file names, settings, error codes, commands."""

import re
from pathlib import Path

import pytest

from accounts.api.problems import STATUS
from accounts.settings import Settings
from support.project import BLOCK, PAGES, ROOT, blocks

PACKAGE = ROOT / "services" / "accounts"
LINES = {"README.md": 260, "CHANGELOG.md": 1000}
WIDTH = 120
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED_FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")
ELSEWHERE = (".local", ".env", "compose.tls.yaml", "openapi.json", "second.py", "team.py", "uv.lock")
# Messages of PostgreSQL and Alembic.
FOREIGN = (
    "permission denied",
    "password authentication failed",
    "database ",
    "cannot connect to invalid database",
    "Can't locate revision",
)
page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def prose(page: Path) -> str:
    return BLOCK.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub derives them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table whose first column is called ``heading``."""
    rows = (ROOT / page).read_text().split(f"\n| {heading} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


@page
def test_page_is_short(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= LINES.get(page.name, 150)


@page
def test_lines_of_text_are_wrapped(page: Path) -> None:
    assert [line for line in prose(page).splitlines() if len(line) > WIDTH and not line.startswith("|")] == []


@page
def test_links_and_their_anchors_resolve(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        if "://" not in path:
            target = (page.parent / path) if path else page
            assert target.is_file(), link
            assert not anchor or anchor in anchors(target), link


@page
def test_named_files_exist(page: Path) -> None:
    """Names with a folder or a known ending are files: of the repository, or of the package."""
    text = prose(page)
    if page.name == "CHANGELOG.md":  # it names what was, too
        return
    for name in NAMED_FILE.findall(text):
        is_file = name.endswith((".py", ".yaml", ".toml", ".cfg", ".md", ".lock")) or name.startswith(
            ("docs/", "deploy/")
        )
        if is_file and not name.startswith(ELSEWHERE) and not to_be_written(name):
            assert any((folder / name).exists() for folder in (ROOT, PACKAGE)), name


def to_be_written(name: str) -> bool:
    """Return whether a page asks its reader to write the file."""
    return "badge" in name


def test_readme_links_to_every_page() -> None:
    linked = set(LINK.findall(prose(ROOT / "README.md")))

    assert {str(page.relative_to(ROOT)) for page in PAGES} - {"README.md"} <= linked


def test_configuration_lists_every_variable_and_no_other() -> None:
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    settings = {name.upper() for name in Settings.model_fields}
    listed = [name for row in table("docs/configuration.md", "Variable") for name in re.findall(r"[A-Z_]+", row[0])]

    assert len(listed) == len(set(listed))
    assert set(listed) == example | settings


def test_errors_lists_every_code_with_its_status() -> None:
    rows = [(int(status), code.strip("`")) for status, code, _ in table("docs/errors.md", "Status")]

    assert rows == sorted((int(status), error.code) for error, status in STATUS.items())


@page
def test_commands_of_make_exist(page: Path) -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:`|^|\$ |\| )make ([a-z][a-z-]*)", page.read_text(), re.MULTILINE)

    assert set(named) <= verbs


def test_messages_of_troubleshooting_exist() -> None:
    sources = [ROOT / "Makefile", *ROOT.glob("scripts/*"), *PACKAGE.rglob("*.py")]
    code = "\n".join(path.read_text() for path in sources if path.is_file())
    messages = [
        cell for row in table("docs/operations.md", "What you see") for cell in re.findall(r"`([^`]+)`", row[0])
    ]
    ours = [each for each in messages if not each.startswith(FOREIGN)]

    assert len(ours) > 8
    for message in ours:
        for part in message.split("…"):
            assert part.strip() in code, message


def test_continuous_integration_installs_the_client_as_its_page_says() -> None:
    (install,) = [block for block in blocks(ROOT / "docs/services.md", "A second service") if block.language == "sh"]
    run = (ROOT / ".ci" / "run").read_text()

    assert [line for line in install.text.splitlines() if line.removeprefix("python3 ") not in run] == []
