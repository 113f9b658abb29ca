"""Lints the SQL of each migration with squawk: what stops a busy table, or the code that still runs beside it.

An exception stands in the migration itself, with its reason: ``# squawk-ignore RULE: why``. Needs no database.
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

# Lengths are part of the models, and PostgreSQL makes a varchar longer without looking at a row.
EVERYWHERE = "prefer-text-field"
IGNORED = re.compile(r"^# squawk-ignore ([a-z-]+): \S.*$", re.MULTILINE)


def sql(script: Script) -> str:
    """What the migration sends, without sending it."""
    written = io.StringIO()
    config = Config(toml_file="pyproject.toml", output_buffer=written)
    command.upgrade(config, f"{script.down_revision or 'base'}:{script.revision}", sql=True)
    return written.getvalue()


def complaints(path: Path) -> dict[str, str]:
    """Each rule that the SQL in ``path`` breaks, with the first place and what is wrong there."""
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
    """Print what is wrong with which migration, and end with status 1 if anything is."""
    os.chdir(ROOT / "services")
    wrong = []
    with TemporaryDirectory() as folder:
        for script in ScriptDirectory.from_config(Config(toml_file="pyproject.toml")).walk_revisions():
            source = Path(script.path)
            file = Path(folder, source.name).with_suffix(".sql")
            file.write_text(sql(script))
            found, ignored = complaints(file), set(IGNORED.findall(source.read_text()))
            wrong += [f"{source.name}: {rule}: {found[rule]}" for rule in found.keys() - ignored]
            wrong += [f"{source.name}: {rule}: is ignored, but not broken" for rule in ignored - found.keys()]
    print(*sorted(wrong), sep="\n", end="\n" if wrong else "")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
