"""Rotating the keys, in ``.env`` and in files of secrets."""

import os
import re
import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import environment
import rotate_keys
from accounts.settings_types import pem_keys
from keys import key_pair
from support.project import ROOT


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / ".env"
    monkeypatch.setattr(environment, "FILE", file)
    monkeypatch.setattr(environment, "OVERRIDES", tmp_path / ".local" / "overrides")
    return file


def complete(file: Path) -> None:
    """Let the last rotation be long ago."""
    file.write_text(re.sub("(?m)^KEYS_ROTATE_AT=.*", "KEYS_ROTATE_AT=2020-01-01T00:00:00Z", file.read_text()))


def test_rotation_keeps_the_previous_key_and_everything_else(file: Path) -> None:
    file.write_text("# kept\nAPI_PORT=8001\nSECRET_KEY=first\n")

    rotate_keys.rotate(*rotate_keys.in_use())
    second, first = environment.read(file)["SECRET_KEY"].split(",")
    complete(file)
    rotate_keys.rotate(*rotate_keys.in_use())
    third, before = environment.read(file)["SECRET_KEY"].split(",")

    assert (first, before) == ("first", second)
    assert len({first, second, third}) == 3
    assert file.read_text().startswith("# kept\nAPI_PORT=8001\nSECRET_KEY=")
    assert "SIGNING_KEY" not in environment.read(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [".env"]


@pytest.mark.parametrize("old", ["fi$$rst", '"fi$$rst, older"', "'fi$rst,\nolder' # kept", '"fi\\$rst"'])
def test_rotation_keeps_a_key_in_quotes(file: Path, old: str) -> None:
    file.write_text(f"API_PORT=8001\nexport SECRET_KEY = {old}\n# kept\nAUDIT_DAYS=1\n")

    rotate_keys.rotate("SECRET_KEY")

    assert environment.read(file)["SECRET_KEY"].split(",")[1:] == ["fi$rst"]
    assert (environment.read(file)["API_PORT"], environment.read(file)["AUDIT_DAYS"]) == ("8001", "1")
    assert "\n# kept\n" in file.read_text()


def test_new_keys_sign_after_a_deploy_and_five_minutes_of_caching(file: Path) -> None:
    file.write_text("SECRET_KEY=first\n")
    rotate_keys.rotate("SECRET_KEY")

    signs_from = datetime.fromisoformat(environment.read(file)["KEYS_ROTATE_AT"])
    assert timedelta(minutes=14) < signs_from - datetime.now(UTC) <= timedelta(minutes=15)


def test_key_pairs_rotate_with_the_secret_and_only_the_current_ones_stay(file: Path) -> None:
    current, older = key_pair(), key_pair()
    file.write_text(f'SECRET_KEY=first\nSIGNING_KEY="{current}\n{older}"\n')

    rotate_keys.rotate(*rotate_keys.in_use())

    new, *rest = pem_keys(environment.read(file)["SIGNING_KEY"])
    assert rest == pem_keys(current)
    assert new not in pem_keys(current + older)


def test_first_key_pair_leaves_the_secret_as_it_is(file: Path) -> None:
    file.write_text("SECRET_KEY=first\n")

    rotate_keys.rotate("SIGNING_KEY")

    read = environment.read(file)
    assert read["SECRET_KEY"] == "first"
    assert len(pem_keys(read["SIGNING_KEY"])) == 1
    assert datetime.fromisoformat(read["KEYS_ROTATE_AT"]) > datetime.now(UTC)


def test_keys_in_files_are_rotated_there(file: Path) -> None:
    file.write_text("SECRET_KEY=\nSIGNING_KEY=\n")
    folder = file.parent / ".local" / "secrets"
    folder.mkdir(parents=True)
    secret, pair = folder / "secret_key", folder / "signing_key"
    secret.write_text("first\n")
    pair.write_text(f'"{key_pair()}"\n')
    pair.chmod(0o444)

    rotate_keys.rotate(*rotate_keys.in_use())

    assert secret.read_text().split(",")[1] == "first"
    assert len(pem_keys(pair.read_text())) == 2
    assert stat.S_IMODE(pair.stat().st_mode) == 0o444  # as another user, the container reads it
    read = environment.read(file)
    assert (read["SECRET_KEY"], read["SIGNING_KEY"]) == ("", "")
    assert "KEYS_ROTATE_AT" in read


@pytest.mark.parametrize("ago", [timedelta(minutes=-10), timedelta(minutes=14)])
def test_rotation_is_refused_while_tokens_of_an_older_key_are_valid(file: Path, ago: timedelta) -> None:
    before = f"SECRET_KEY=second,first\nKEYS_ROTATE_AT={(datetime.now(UTC) - ago).isoformat()}\n"
    file.write_text(before)

    with pytest.raises(ValueError, match="until then tokens need the key before"):
        rotate_keys.rotate("SECRET_KEY")

    assert file.read_text() == before


def test_rotation_fails_without_a_key_and_creates_no_file(file: Path) -> None:
    with pytest.raises(ValueError, match="SECRET_KEY is missing"):
        rotate_keys.rotate("SECRET_KEY")

    assert not file.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("goal", "keys"), [("rotate-keys", 2), ("signing-key", 1)])
def test_command_deploys_the_keys_with_the_variables_of_the_last_up(tmp_path: Path, goal: str, keys: int) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in ("Makefile", ".env.example", "scripts/engine"):
        shutil.copy(ROOT / name, tmp_path / name)
    for script in ("environment", "env_file", "keys", "rotate_keys"):
        shutil.copy(ROOT / "scripts" / f"{script}.py", scripts)
    (scripts / "docker").write_text('#!/bin/sh\necho "$1 $API_PORT" >deployed\n')
    (scripts / "docker").chmod(0o755)
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "overrides").write_text("API_PORT=8001\n")
    (tmp_path / ".env").write_text("SECRET_KEY=first\nPOSTGRES_PASSWORD=-\nPOSTGRES_API_PASSWORD=-\n")

    variables = {name: value for name, value in os.environ.items() if name != "API_PORT"}
    command = [shutil.which("make") or "make", goal, "ENGINE=docker"]
    subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, check=True)

    assert (tmp_path / "deployed").read_text() == "up 8001\n"
    assert len(environment.read(tmp_path / ".env")["SECRET_KEY"].split(",")) == keys
    assert (tmp_path / ".local" / "engine").read_text() == "docker\n"
