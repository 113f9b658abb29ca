"""The engine of a command: chosen, or the one of the last ``make up``."""

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
def test_engine_is_the_chosen_one_or_else_that_of_the_last_make_up(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / ".local").mkdir()
    shutil.copy(ROOT / "scripts" / "engine", tmp_path / "scripts")

    for last, other in (("native", "docker"), ("docker", "native")):
        (tmp_path / ".local" / "engine").write_text(f"{last}\n")
        assert engine(tmp_path) == (0, last)
        assert engine(tmp_path, other) == (0, other)
        assert engine(tmp_path, "podman") == (2, "")
