"""Lints the SQL of each migration with squawk, for what blocks a busy table or breaks the previous release.

Exceptions are comments in the migration: ``# squawk-ignore RULE: why``. Needs no database.
"""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from environment import ROOT

# The models have lengths, and PostgreSQL can extend a varchar without rewriting the table.
EVERYWHERE = "prefer-text-field"
IGNORED = re.compile(r"^# squawk-ignore ([a-z-]+): \S.*$", re.MULTILINE)


def sql(script: Script) -> str:
    """Return the SQL of a migration."""
    written = io.StringIO()
    config = Config(toml_file="pyproject.toml", output_buffer=written)
    command.upgrade(config, f"{script.down_revision or 'base'}:{script.revision}", sql=True)
    return written.getvalue()


def complaints(path: Path) -> dict[str, str]:
    """Return the message of each rule that the SQL in ``path`` breaks, with its first occurrence."""
    lint = ["squawk", "--reporter=json", "--pg-version=18", f"--exclude={EVERYWHERE}", str(path)]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"lint_migrations: squawk: {done.stderr or done.stdout}")
    lines = path.read_text().splitlines()
    return {each["rule_name"]: f"{each['message']} {_place(lines, each)}" for each in reversed(found)}


def _place(lines: list[str], complaint: dict[str, Any]) -> str:
    text = " ".join(" ".join(lines[complaint["line"] : complaint["line_end"] + 1]).split())
    return f"[{text[:60]}]"


def main() -> None:
    """Print the problems of all migrations; exit with status 1 if there are any."""
    os.chdir(ROOT / "services")
    problems = []
    with TemporaryDirectory() as folder:
        for script in ScriptDirectory.from_config(Config(toml_file="pyproject.toml")).walk_revisions():
            source = Path(script.path)
            file = Path(folder, source.name).with_suffix(".sql")
            file.write_text(sql(script))
            found, ignored = complaints(file), set(IGNORED.findall(source.read_text()))
            problems += [f"{source.name}: {rule}: {found[rule]}" for rule in found.keys() - ignored]
            problems += [f"{source.name}: {rule}: is ignored, but not violated" for rule in ignored - found.keys()]
    print(*sorted(problems), sep="\n", end="\n" if problems else "")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
