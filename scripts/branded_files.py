"""Prints a hash of the files that branding settings name. With it, ``make up`` notices that one of them has changed.

Needs only Python 3.9, since people who use Docker have no other on their machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from environment import effective

SETTINGS = ("LOGO_FILE", "TEMPLATES_DIR")


def fingerprint(variables: Mapping[str, str]) -> str:
    """Return a hash of the names and the content of the files; empty if no setting names one."""
    named = [Path(variables[name]) for name in SETTINGS if variables.get(name)]
    digest = hashlib.sha256()
    for path in (each for root in named for each in sorted([root, *root.rglob("*")])):
        digest.update(f"{path}\0{_hash(path)}\0".encode())
    return digest.hexdigest() if named else ""


def _hash(path: Path) -> str:
    """Return a hash of a file. The process that uses it reports what cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


if __name__ == "__main__":
    print(fingerprint(effective()))
