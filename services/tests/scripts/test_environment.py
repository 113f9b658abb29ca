"""Rotating SECRET_KEY in ``.env``, and checking its variables."""

import re
import stat
from pathlib import Path

import pytest

import environment


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / ".env"
    monkeypatch.setattr(environment, "FILE", file)
    monkeypatch.setattr(environment, "OVERRIDES", tmp_path / ".local" / "overrides")
    for name in ("API_PORT", "LOG_LEVEL", "PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    return file


def test_rotation_keeps_the_previous_key_and_everything_else(file: Path) -> None:
    file.write_text("# kept\nAPI_PORT=8001\nSECRET_KEY=first\n")

    environment.rotate()
    second, first = environment.read(file)["SECRET_KEY"].split(",")
    environment.rotate()
    third, before = environment.read(file)["SECRET_KEY"].split(",")

    assert (first, before) == ("first", second)
    assert len({first, second, third}) == 3
    assert file.read_text().startswith("# kept\nAPI_PORT=8001\nSECRET_KEY=")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [".env"]


@pytest.mark.parametrize("old", ["fi$$rst", '"fi$$rst, older"', "'fi$rst,\nolder' # kept", '"fi\\$rst"'])
def test_rotation_keeps_a_key_in_quotes(file: Path, old: str) -> None:
    file.write_text(f"API_PORT=8001\nexport SECRET_KEY = {old}\n# kept\nAUDIT_DAYS=1\n")

    environment.rotate()

    assert environment.read(file)["SECRET_KEY"].split(",")[1:] == ["fi$rst"]
    assert (environment.read(file)["API_PORT"], environment.read(file)["AUDIT_DAYS"]) == ("8001", "1")
    assert "\n# kept\n" in file.read_text()


def test_later_commands_use_the_variables_of_the_last_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("API_PORT=8000\nLOG_LEVEL=info\nPUBLIC_URL=http://localhost:$API_PORT\n")
    with monkeypatch.context() as up:
        up.setenv("API_PORT", "8001")
        up.setenv("LOG_LEVEL", "info")
        up.setenv("MAIL_FROM", 'Knights "of" $1 <a@example.com>')
        environment.remember()

    later = environment.effective()
    assert (later["API_PORT"], later["PUBLIC_URL"]) == ("8001", "http://localhost:8001")
    assert later["MAIL_FROM"] == 'Knights "of" $1 <a@example.com>'
    assert "LOG_LEVEL" not in environment.OVERRIDES.read_text()
    assert stat.S_IMODE(environment.OVERRIDES.stat().st_mode) == 0o600
    assert environment.effective({})["API_PORT"] == "8000"

    monkeypatch.setenv("API_PORT", "8002")
    assert environment.effective()["API_PORT"] == "8002"

    monkeypatch.delenv("API_PORT")
    environment.remember()
    assert environment.effective()["API_PORT"] == "8000"


def test_each_copy_has_a_compose_project_of_its_own(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    projects = set()
    for copy in ("/home/arthur/accounts", "/home/arthur/accounts2", "/home/arthur/accounts"):
        monkeypatch.setattr(environment, "ROOT", Path(copy))
        file.unlink(missing_ok=True)
        environment.create()
        projects.add(environment.read(file)["COMPOSE_PROJECT_NAME"])

    assert len(projects) == 2
    assert all(re.fullmatch("accounts-[0-9a-f]{6}", project) for project in projects)


def test_rotation_fails_without_a_key_and_creates_no_file(file: Path) -> None:
    with pytest.raises(ValueError, match="SECRET_KEY is missing"):
        environment.rotate()

    assert not file.exists()


def test_check_warns_about_unknown_variables_except_those_of_compose(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(environment.EXAMPLE.read_text() + "COMPOSE_FILE=compose.yaml\nAPI_PROT=8001\n")

    environment.check()

    assert capsys.readouterr().err == ".env: API_PROT is not a variable of .env.example; did you mean API_PORT?\n"
