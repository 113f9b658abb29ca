"""What ``scripts/bootstrap`` and ``make`` say, in one line, on machines where they cannot install or write."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from postgres_host import NAMESPACE
from support.certificates import authority
from support.project import ROOT

pytestmark = pytest.mark.slow
UV = [str(path) for path in (ROOT / ".local/uv/bin/uv", shutil.which("uv")) if path and Path(path).exists()]
BASE = str(getattr(sys, "_base_executable", sys.executable))
# Debian's python3 without python3-venv and python3-pip.
MINIMAL = f"""#!/bin/sh
case "$*" in *ensurepip*|*pip*) exit 1 ;; esac
exec {BASE} "$@"
"""


class Machine:
    """A project that nothing is installed in, with its own home and PATH."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.programs = root / "programs"
        self.programs.mkdir()
        (self.programs / "python3").symlink_to(BASE)
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        shutil.copy(ROOT / "Makefile", self.root)
        (self.root / "services").mkdir()
        for file in (ROOT / "services").glob("*.lock"):
            shutil.copy(file, self.root / "services")
        self.environment = {"HOME": str(root), "PATH": f"{self.programs}:/usr/bin:/bin", "UV_NO_CACHE": "1"}

    def run(self, *command: str, **variables: str) -> list[str]:
        """Run a command, which has to fail, and return the lines that it prints."""
        environment = self.environment | variables
        result = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode, result.stdout
        return (result.stdout + result.stderr).splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def index() -> Iterator[str]:
    """Return the URL of a package index with a certificate that the machine does not trust."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=_shake_hands, args=(server,), daemon=True).start()
        yield f"https://localhost:{server.getsockname()[1]}/simple"
        server.shutdown(socket.SHUT_RDWR)


def _shake_hands(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            authority().server.wrap_socket(connection, server_side=True).close()


@pytest.mark.parametrize("python", ["/nowhere/python3", "/bin/false"])
def test_python_that_does_not_fit_is_refused(machine: Machine, python: str) -> None:
    (line,) = machine.run("scripts/bootstrap", UV="/bin/true", PYTHON=python)

    assert f"PYTHON={python}" in line
    assert "3.13" in line


def test_uv_that_does_not_run_is_refused(machine: Machine) -> None:
    assert machine.run("scripts/bootstrap", UV="/nowhere/uv") == ["bootstrap: UV=/nowhere/uv does not run"]


def test_machine_without_pip_and_venv_learns_what_to_install(machine: Machine) -> None:
    system = "/usr/bin/python3"  # the script would find it as well
    (machine.programs / "python3").unlink()
    (machine.programs / "python3").write_text(MINIMAL)
    (machine.programs / "python3").chmod(0o755)
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "--"]
    if subprocess.run([*namespace, "test", "-e", system], capture_output=True, check=False).returncode:
        pytest.skip("mounts need a namespace")
    hide = f"mount --bind {machine.programs}/python3 {system} && scripts/bootstrap"

    (line,) = machine.run(*namespace, "sh", "-c", hide)

    assert "apt install python3-venv" in line


def test_untrusted_certificate_is_named_when_uv_is_installed(machine: Machine, index: str) -> None:
    lines = machine.run("scripts/bootstrap", PIP_INDEX_URL=index)

    assert "CERTIFICATE_VERIFY_FAILED" in "".join(lines)
    assert "SSL_CERT_FILE=" in lines[-2]
    assert lines[-1] == "bootstrap: cannot install uv, see above"


@pytest.mark.skipif(not UV, reason="uv is not installed")
def test_untrusted_certificate_is_named_and_leaves_no_installation(machine: Machine, index: str) -> None:
    lines = machine.run("scripts/bootstrap", UV=UV[0], PYTHON=BASE, UV_DEFAULT_INDEX=index)

    assert "UnknownIssuer" in "".join(lines)
    assert "SSL_CERT_FILE=" in lines[-2]
    assert (machine.root / ".local/venv/bin/python").exists()
    assert machine.run("scripts/native", "logs") == ["native: nothing is installed yet; run make up first"]


def test_command_that_writes_into_a_read_only_project_says_so(machine: Machine) -> None:
    goals = re.findall(r"(?m)^([a-z-]+):.*\$\(DEV\)", (ROOT / "Makefile").read_text())
    (machine.root / "services").chmod(0o555)
    # In a namespace even root is an ordinary user.
    user = NAMESPACE if os.geteuid() == 0 else ()
    for goal in set(goals) - {"dev"}:  # which writes .env first
        first, *_ = machine.run(*user, "make", goal)
        assert first.startswith("make: "), goal
        assert f"may not write into {machine.root}" in first
    assert {"test", "check", "fmt", "messages"} <= set(goals)
