"""A copy of this project, to follow its documentation and run commands in."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
IGNORED = shutil.ignore_patterns(".git", ".local", ".env", ".venv", ".*_cache", "__pycache__", "node_modules")


class Block(NamedTuple):
    """A fenced block, and the file that the paragraph before it names last."""

    language: str
    path: str | None
    text: str


def blocks(page: Path, section: str = "") -> Iterator[Block]:
    """Yield the fenced blocks of a page, or of one of its sections."""
    text = page.read_text()
    if section:
        text = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    for block in BLOCK.finditer(text):
        before = text[: block.start()].rstrip().rsplit("\n\n", 1)[-1]
        paths = re.findall(r"`(services/\S+\.(?:py|toml))`", before)
        yield Block(block[1], paths[-1] if paths else None, block[2])


class Project:
    """A copy of the project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT, root, ignore=IGNORED)
        (root / ".local").mkdir()
        (root / ".local" / "venv").symlink_to(sys.prefix)

    def follow(self, page: str, section: str = "") -> list[str]:
        """Write and change the files that a page names, and return their paths."""
        paths = []
        for block in blocks(ROOT / page, section):
            if block.path and block.language == "python":
                self._write(block.path, block.text)
            elif block.path and block.language == "diff":
                self._patch(block.path, block.text)
            else:
                continue
            paths.append(block.path)
        return paths

    def _write(self, path: str, text: str) -> None:
        file = self.root / path
        if file.exists():  # one line for a list of imports
            lines = file.read_text().splitlines(keepends=True)
            number = next(number for number, line in enumerate(lines) if line.startswith("from ") and line > text)
            text = "".join([*lines[:number], text, *lines[number:]])
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)

    def _patch(self, path: str, diff: str) -> None:
        file = self.root / path
        text = file.read_text()
        for hunk in diff.split("@@\n"):
            lines = hunk.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if line[0] != "+")
            new = "".join(line[1:] for line in lines if line[0] != "-")
            assert f"\n{text}".count(f"\n{old}") == 1, f"{path} has not exactly once:\n{old}"
            text = f"\n{text}".replace(f"\n{old}", f"\n{new}")[1:]
        file.write_text(text)

    def run(self, *command: str | Path, folder: str = "services", **environment: str) -> str:
        """Run a command in the copy, which has to succeed, and return what it prints."""
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        result = subprocess.run(
            command, cwd=self.root / folder, env=kept | environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def python(self, *arguments: str) -> str:
        """Run Python in the copy."""
        return self.run(sys.executable, *arguments)

    def tool(self, name: str, *arguments: str) -> str:
        """Run a program of the environment in the copy."""
        return self.run(Path(sys.executable).parent / name, *arguments)

    def revision(self, message: str) -> None:
        """Do what ``make revision`` does."""
        self.python("../scripts/revision.py", message)

    def lint(self, paths: list[str]) -> None:
        """Check files with ruff, as ``make check`` does."""
        names = [f"../{path}" for path in paths if path.endswith(".py")]
        self.python("-m", "ruff", "check", "--config", "pyproject.toml", "--no-cache", *names)
        self.python("-m", "ruff", "format", "--config", "pyproject.toml", "--no-cache", "--check", *names)
