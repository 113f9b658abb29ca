"""``make revision``: what a forgotten import would delete is named, and nothing is written without a confirmation."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.operations import MigrateOperation, MigrationScript
from alembic.operations.ops import AddColumnOp, DowngradeOps, DropColumnOp, DropTableOp, ModifyTableOps, UpgradeOps
from alembic.util import CommandError
from sqlalchemy import Column, Integer

from revision import check_operations
from support.project import Project

SWORD = """
from alembic import op
import sqlalchemy as sa

revision = "sword"
down_revision = {head!r}


def upgrade() -> None:
    op.create_table("sword", sa.Column("id", sa.Integer(), primary_key=True))
"""


def check(*operations: MigrateOperation) -> list[MigrationScript]:
    directives = [MigrationScript("x", UpgradeOps(operations), DowngradeOps([DropTableOp("new")]))]
    unused: Any = None
    check_operations(unused, unused, directives)
    return directives


def test_revision_that_drops_is_refused_and_names_all_tables_and_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    column = DropColumnOp("user", "nickname")
    operations = DropTableOp("badge"), ModifyTableOps("user", [AddColumnOp("user", Column("a", Integer)), column])
    monkeypatch.delenv("DROP", raising=False)

    with pytest.raises(CommandError, match=r"delete column user\.nickname, table badge with all data.*DROP=yes"):
        check(*operations)

    monkeypatch.setenv("DROP", "yes")
    assert len(check(*operations)) == 1


def test_revision_that_only_adds_is_written_and_an_empty_one_is_not() -> None:
    assert len(check(AddColumnOp("user", Column("a", Integer)))) == 1
    assert check() == []


def revision(project: Project, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/revision.py", "badges"]
    return subprocess.run(
        command, cwd=project.root, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.slow
def test_module_of_models_that_is_not_imported_is_named_before_anything_else(tmp_path: Path) -> None:
    project = Project(tmp_path / "copy")
    (project.root / "services/accounts/models/badges.py").write_text("")

    result = revision(project)

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "accounts: import accounts.models.badges in models/__init__.py first, or its tables are not seen\n"
    )


@pytest.mark.slow
def test_table_without_a_model_is_dropped_only_if_that_is_confirmed(tmp_path: Path) -> None:
    project = Project(tmp_path / "copy")
    versions = project.root / "services/accounts/migrations/versions"
    head = project.tool("alembic", "heads").split()[0]
    (versions / "20990101_0000_sword.py").write_text(SWORD.format(head=head))
    before = set(versions.glob("*.py"))

    refused = revision(project)
    unchanged = set(versions.glob("*.py"))
    confirmed = revision(project, DROP="yes")

    assert (refused.returncode, unchanged) == (1, before)
    assert "would delete table sword with all data" in refused.stderr
    assert confirmed.returncode == 0
    [written] = set(versions.glob("*.py")) - before
    assert 'op.drop_table("sword")' in written.read_text()
