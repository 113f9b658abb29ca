"""The engine of a command: chosen, or the one that was used last to create or change a database."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def engine(root: Path, chosen: str = "") -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if name != "ENGINE"}
    result = subprocess.run(
        [root / "scripts" / "engine", chosen], env=environment, capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout.strip()


@pytest.mark.slow
def test_engine_is_the_chosen_one_or_else_the_remembered_one(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / ".local").mkdir()
    shutil.copy(ROOT / "scripts" / "engine", tmp_path / "scripts")

    for last, other in (("native", "docker"), ("docker", "native")):
        (tmp_path / ".local" / "engine").write_text(f"{last}\n")
        assert engine(tmp_path) == (0, last)
        assert engine(tmp_path, other) == (0, other)
        assert engine(tmp_path, "podman") == (2, "")


@pytest.mark.slow
@pytest.mark.parametrize("goal", ["up", "seed", "migrate", "restore"])
def test_command_that_changes_the_database_remembers_its_engine(tmp_path: Path, goal: str) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "scripts" / "engine", scripts)
    (scripts / "environment.py").touch()
    for name in ("docker", "backup"):
        (scripts / name).write_text("#!/bin/sh\n")
        (scripts / name).chmod(0o755)

    make = shutil.which("make") or "make"
    subprocess.run([make, goal, "ENGINE=docker"], cwd=tmp_path, capture_output=True, check=True)

    assert (tmp_path / ".local" / "engine").read_text() == "docker\n"
