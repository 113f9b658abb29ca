"""The pages "Add an entity" and "Add a feature", followed word for word in a copy of this project."""

from pathlib import Path

import pytest

from support.project import ROOT, Project

PAGES = (
    ("README.md", "Add an entity"),
    ("docs/add-a-feature.md", ""),
    ("docs/personal-data.md", "When you add a table"),
    ("CONTRIBUTING.md", "Tests"),
)
# The page's own test, and those that hold for every table and every route.
EVERY_ROUTE = (
    "tests/api/test_openapi.py",
    "tests/access_keys/test_scopes.py",
    "tests/identity/test_superuser_reauthentication.py",
)
TESTS = ("tests/badges", "tests/personal_data", "tests/models", *EVERY_ROUTE)
FOLLOWED = (ROOT / "services/accounts/models/badges.py").exists()
pytestmark = pytest.mark.skipif(FOLLOWED, reason="the pages were followed in this copy")


@pytest.mark.slow
def test_feature_works_as_the_pages_say(tmp_path: Path) -> None:
    project = Project(tmp_path / "copy")
    paths = [path for page in PAGES for path in project.follow(*page)]
    project.revision("badges")

    project.python("-m", "pytest", "-q", *TESTS)

    project.lint(paths)
    modules = [path.removeprefix("services/") for path in paths if path.endswith(".py")]
    project.python("-m", "mypy", "--cache-dir", str(tmp_path / "mypy"), *modules)
    project.tool("lint-imports")


def test_pages_fit_the_code(tmp_path: Path) -> None:
    """Every change on the pages applies, which the slow test goes on from."""
    project = Project(tmp_path / "copy")

    paths = [path for page in PAGES for path in project.follow(*page)]

    assert len(paths) == len(set(paths)) > 8
