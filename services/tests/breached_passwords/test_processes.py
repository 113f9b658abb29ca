"""The processes as they ship: what they look up, what they print, and what they do not import."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.gunicorn import gunicorn
from support.people import PASSWORD
from support.processes import environment, python
from support.project import ROOT
from support.range_api import range_server, response, sha1

LEAKED, ALSO_LEAKED = "excalibur-from-the-lake", "a-sword-in-a-stone"
CHECKS = "accounts_breach_checks_total"

pytestmark = pytest.mark.slow


def make_breached(*variables: str) -> subprocess.CompletedProcess[str]:
    command = [shutil.which("make") or "make", "--silent", "breached", *variables]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A list that has been made as the documentation says."""
    (tmp_path / "a download.txt").write_text(f"{sha1(ALSO_LEAKED)}:7\n")
    done = make_breached(f"FILE={tmp_path}/a download.txt", f"OUT={tmp_path}/a list")
    assert (done.returncode, done.stdout) == (0, f"Wrote 1 passwords to {tmp_path}/a list\n")
    return tmp_path / "a list"


def test_api_refuses_passwords_of_the_server_and_the_file_until_the_server_fails(
    fresh_database: str, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with range_server() as mirror:
        mirror.leak(LEAKED)
        settings = {"BREACHED_PASSWORDS_URL": mirror.url, "BREACHED_PASSWORDS_FILE": str(file), "LOG_LEVEL": "debug"}
        with gunicorn(fresh_database, workers=1, **settings) as api:

            def register(name: str, password: str) -> int:
                body = {"email": f"{name}@camelot.example.com", "password": password}
                return api.api.post("/auth/register", json=body).status_code

            assert [register(name, LEAKED if name == "kay" else ALSO_LEAKED) for name in ("kay", "bors")] == [400, 400]
            assert register("arthur", PASSWORD) == 201
            mirror.answer = lambda write: write(response(b"", "503 Service Unavailable"))
            assert register("galahad", f"{LEAKED}-2") == 201
            assert {outcome: api.value(CHECKS, outcome=outcome) for outcome in ("breached", "failed", "skipped")} == {
                "breached": 2,
                "failed": 1,
                "skipped": 0,
            }

    printed = capfd.readouterr().err
    assert "passwords are not looked up in BREACHED_PASSWORDS_URL" in printed
    assert not [request.path for request in mirror.requests if request.path.rpartition("/")[2] in printed]


def test_gunicorn_with_an_unusable_file_ends_with_one_line(fresh_database: str, tmp_path: Path) -> None:
    env = environment(fresh_database, BREACHED_PASSWORDS_FILE=str(tmp_path / "none"))

    ended = python("-m", "gunicorn", env=env)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "accounts: BREACHED_PASSWORDS_FILE: No such file or directory"
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(("url", "imported"), [("", False), ("https://api.pwnedpasswords.com", True)])
def test_api_that_asks_no_server_does_not_import_the_client(
    fresh_database: str,
    url: str,
    imported: bool,  # noqa: FBT001  # a case
) -> None:
    program = (
        "import asyncio, sys\n"
        "from accounts.api.app import create_app, lifespan\n"
        "async def serve():\n"
        "    async with lifespan(create_app()):\n"
        "        print('httpx2' in sys.modules)\n"
        "asyncio.run(serve())"
    )

    done = python("-c", program, env=environment(fresh_database, BREACHED_PASSWORDS_URL=url))

    assert (done.stdout.strip(), done.stderr) == (str(imported), "")


def test_conversion_needs_no_installed_package(tmp_path: Path) -> None:
    (tmp_path / "download.txt").write_text(f"{sha1(LEAKED)}:7\n")
    command = [sys.executable, "-S", "-m", "accounts.commands.breached_passwords", "download.txt", "list"]

    env = os.environ | {"PYTHONPATH": str(ROOT / "services")}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "list").exists()


@pytest.mark.parametrize("variables", [(), ("FILE=/tmp/none",), ("FILE=/tmp/none", "OUT=/tmp/list")])
def test_conversion_without_its_files_fails_with_a_line(variables: tuple[str, ...]) -> None:
    failed = make_breached(*variables)

    assert failed.returncode != 0
    assert "Traceback" not in failed.stderr
    assert ("is not given" in failed.stderr) is (len(variables) < 2)
