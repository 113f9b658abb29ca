"""Upper limits of this machine: password hashes on all cores, and the floor's statements without Python."""

import os
import re
import time
from concurrent.futures import ProcessPoolExecutor

import jwt

from accounts.domain.identity.password_hashing import PASSWORD_HASH
from benchmarks import sql
from benchmarks.data import Data
from postgres_host import run

CORES = os.process_cpu_count() or 1
CLIENTS = 8


def hashes(seconds: float) -> float:
    """Verify passwords on all cores for ``seconds``; return verifications per second."""
    with ProcessPoolExecutor(CORES) as processes:
        list(processes.map(_verify, [0.1] * CORES))  # starts the processes
        return sum(processes.map(_verify, [seconds] * CORES))


def _verify(seconds: float) -> float:
    hashed, number, started = PASSWORD_HASH.hash("correct-horse-battery"), 0, time.perf_counter()
    while time.perf_counter() < started + seconds:
        PASSWORD_HASH.verify("correct-horse-battery", hashed)
        number += 1
    return number / (time.perf_counter() - started)


def pgbench(data: Data, token: str, seconds: int = 1) -> dict[str, float]:
    """Run the floor's statements with pgbench, prepared, on eight connections; return transactions per second."""
    claims = jwt.decode(token, options={"verify_signature": False})
    names = {"session": f"'{claims['sid']}'", "user": f"'{claims['sub']}'", "group": data.group, "limit": 50}
    texts = {"members": sql.MEMBERS, "members signed in": sql.MEMBERS_SEEN, "users/me": sql.ME}
    return {name: _rate(data.owner_url, text.format(**names), seconds) for name, text in texts.items()}


def _rate(url: str, statement: str, seconds: int) -> float:
    options = ("--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", f"--time={seconds}", "--file=-")
    output = run("pgbench", *options, url, given=" ".join(statement.split()) + ";\n")
    return float(re.findall(r"tps = ([\d.]+)", output)[0])
