"""The README's "Add an entity", followed word for word in a copy of this project: four steps."""

from pathlib import Path

import pytest

from support.project import ROOT, Project, blocks

SECTION = ("README.md", "Add an entity")
MODEL = "services/accounts/models/badges.py"
IMPORTS = "services/accounts/models/__init__.py"

# The tests that hold for every table, its migration, its rights, its users' data, and what deletes or restores rows.
EVERY_TABLE = (
    "tests/models",
    "tests/migrations",
    "tests/personal_data",
    "tests/commands",
    "tests/test_architecture.py",
)

# What the API does, as the role that it connects as.
TEST = """
from sqlalchemy.orm import selectinload
from sqlmodel import select

from accounts.models import Badge
from support.people import World


async def test_badge_relates_to_its_user(busy_world: World) -> None:
    arthur = await busy_world.user("arthur")
    async with busy_world.sessionmaker() as db:
        db.add(Badge(user_id=arthur.id, title="Grail"))
        await db.flush()
        db.expunge_all()
        badges = (await db.exec(select(Badge).options(selectinload(Badge.user)))).all()
        assert [(badge.title, badge.user.email) for badge in badges] == [("Grail", arthur.email)]
"""


def leave_out_of_export(project: Project, table: str) -> None:
    """Add a table to ``NOT_SHOWN``."""
    file = project.root / "services" / "accounts" / "domain" / "personal_data.py"
    text, line = file.read_text(), "NOT_SHOWN = [\n"
    assert text.count(line) == 1
    file.write_text(text.replace(line, f'{line}    "{table}",\n'))


def test_entity_takes_four_steps() -> None:
    found = list(blocks(ROOT / SECTION[0], SECTION[1]))
    files = [block.path for block in found if block.language == "python" and block.path]

    assert files == [MODEL, IMPORTS]
    assert [block.text for block in found if block.language == "sh"] == ['make revision m="badges"\n', "make migrate\n"]


@pytest.mark.slow(seconds=30)
@pytest.mark.timeout(1800)
def test_tests_of_every_table_pass_after_the_four_steps(tmp_path: Path) -> None:
    project = Project(tmp_path / "copy")
    paths = project.follow(*SECTION)
    project.revision("badges")
    leave_out_of_export(project, "badge")
    (project.root / "services" / "tests" / "test_badge.py").write_text(TEST)

    project.python("-m", "pytest", "-q", "-m", "not slow", "tests/test_badge.py", *EVERY_TABLE)

    project.lint([*paths, "services/accounts/domain/personal_data.py"])
    (migration,) = (project.root / "services/accounts/migrations/versions").glob("*_badges.py")
    assert 'op.create_table(\n        "badge"' in migration.read_text()
