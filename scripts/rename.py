"""Rename the project after it was copied: package, Compose project, database and roles, cookie, token audience, texts.

Standard library only, and any ``python3`` from 3.9 on, like everything that runs before the environment exists.
"""

from __future__ import annotations

import os
import re
import sys
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLD = "accounts"
NAME_IN_TEXT = re.compile(r"(?<![Ss]ervice[-_\s])(?<!Service)(?:accounts|Accounts)")  # service accounts keep their name
NAME = re.compile(r"[a-z][a-z0-9]{2,19}")
# A name that is imported or used in SQL without quotes.
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
    """Check a name, and that no data is stored under the current one.

    Raises:
        RenameError: the name cannot be a package, a database and a Compose project, or there are data.

    """
    if not NAME.fullmatch(name):
        raise RenameError(
            f"{name!r} is not a valid name: use 3 to 20 lower-case letters and digits. Example: make rename NAME=guests"
        )
    if name in TAKEN or name in getattr(sys, "stdlib_module_names", ()):
        raise RenameError(f"{name} is reserved in Python or SQL")
    if not (ROOT / "services" / OLD).is_dir():
        raise RenameError(f"there is no services/{OLD}: the project has already been renamed")
    if (ROOT / ".local" / "postgres").exists():
        raise RenameError("a database with the old name exists; run make clean first")


def rename(name: str) -> int:
    """Replace the name in every text file and path, and return the number of files that changed."""
    changed = 0
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for path in (Path(folder, name) for name in files if name not in KEPT):
            changed += _replace(path, name)
    for folder, folders, files in chain(*(os.walk(ROOT / each, topdown=False) for each in ("services", "clients"))):
        for path in (Path(folder, name) for name in (*folders, *files) if NAME_IN_TEXT.search(name)):
            path.rename(path.with_name(_renamed(path.name, name)))
    return changed


def _replace(path: Path, name: str) -> bool:
    try:
        text = path.read_bytes().decode()
    except ValueError:
        return False  # not a text
    new = _renamed(text, name)
    if new == text:
        return False
    path.write_bytes(new.encode())
    return True


def _renamed(text: str, name: str) -> str:
    return NAME_IN_TEXT.sub(lambda found: name if found[0] == OLD else name.title(), text)


if __name__ == "__main__":
    try:
        name = " ".join(sys.argv[1:])
        check(name)
        print(f"{rename(name)} files changed. Next: make fmt check test")
    except (RenameError, OSError) as error:
        sys.exit(f"rename: {error}")
