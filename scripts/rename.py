"""Renames a copy of this project: package, Compose project, database and roles, cookie, token audience and texts.

Needs only Python 3.9, since it runs before the environment is installed.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLD = "accounts"
NAME = re.compile(r"[a-z][a-z0-9]{2,19}")
# Names that are imported, or reserved in SQL.
TAKEN = {
    "all",
    "benchmarks",
    "column",
    "database",
    "group",
    "order",
    "role",
    "select",
    "session",
    "table",
    "tests",
    "user",
}
SKIPPED = {".git", ".local", ".venv", "__pycache__", "node_modules"}
KEPT = {"LICENSE"}  # its copyright notice has to stay (MIT)


class RenameError(Exception):
    """The project cannot be renamed; the message says why."""


def check(name: str) -> None:
    """Check that the name is usable, and that no database exists under the current one.

    Raises:
        RenameError: the name is not usable, or there is a database.

    """
    if not NAME.fullmatch(name):
        raise RenameError(f"{name!r} is not usable: take 3 to 20 lower-case letters and digits, such as NAME=guests")
    if name in TAKEN or name in getattr(sys, "stdlib_module_names", ()):
        raise RenameError(f"{name} is reserved in Python or SQL")
    if not (ROOT / "services" / OLD).is_dir():
        raise RenameError(f"services/{OLD} does not exist: the project was renamed before")
    if (ROOT / ".local" / "postgres").exists():
        raise RenameError("there is a database under the old name; run make clean first")


def rename(name: str) -> int:
    """Replace the name in every text file and path, and return the number of files that changed."""
    changed = 0
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [each for each in folders if each not in SKIPPED]
        for path in (Path(folder, each) for each in files if each not in KEPT):
            changed += _replace(path, name)
    for folder, folders, files in os.walk(ROOT / "services", topdown=False):
        for each in (*files, *folders):
            if OLD in each:
                Path(folder, each).rename(Path(folder, each.replace(OLD, name)))
    return changed


def _replace(path: Path, name: str) -> bool:
    try:
        text = path.read_bytes().decode()
    except ValueError:
        return False  # not text
    new = text.replace(OLD, name).replace(OLD.title(), name.title())
    if new == text:
        return False
    path.write_bytes(new.encode())
    return True


if __name__ == "__main__":
    try:
        new_name = " ".join(sys.argv[1:])
        check(new_name)
        print(f"{rename(new_name)} files changed. Next: make fmt check test")
    except (RenameError, OSError) as error:
        sys.exit(f"rename: {error}")
