"""How much the machine can do at the most: password hashes on all cores, and the floor's statements without Python."""

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
    """Verify passwords on every core for so long; return how many a second that were."""
    with ProcessPoolExecutor(CORES) as processes:
        list(processes.map(_verified, [0.1] * CORES))  # the processes start meanwhile
        return sum(processes.map(_verified, [seconds] * CORES))


def _verified(seconds: float) -> float:
    hashed, number, begun = PASSWORD_HASH.hash("correct-horse-battery"), 0, time.perf_counter()
    while time.perf_counter() < begun + seconds:
        PASSWORD_HASH.verify("correct-horse-battery", hashed)
        number += 1
    return number / (time.perf_counter() - begun)


def pgbench(data: Data, token: str, seconds: int = 1) -> dict[str, float]:
    """Have pgbench run the floor's statements, prepared, over eight connections; return how many a second."""
    claims = jwt.decode(token, options={"verify_signature": False})
    names = {"session": f"'{claims['sid']}'", "user": f"'{claims['sub']}'", "group": data.group, "limit": 50}
    texts = {"members": sql.MEMBERS, "members, signed in": sql.MEMBERS_SEEN, "users/me": sql.ME}
    return {name: _rate(data.owned, text.format(**names), seconds) for name, text in texts.items()}


def _rate(url: str, statement: str, seconds: int) -> float:
    options = ("--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", f"--time={seconds}", "--file=-")
    said = run("pgbench", *options, url, given=" ".join(statement.split()) + ";\n")
    return float(re.findall(r"tps = ([\d.]+)", said)[0])
