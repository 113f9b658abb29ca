"""Upper limits of this machine: password hashes on all cores, and the floor's statements without Python."""

import os
import re
import time
from concurrent.futures import ProcessPoolExecutor
from statistics import mean

import jwt

from accounts.domain.identity.password_hashing import PASSWORD_HASH
from benchmarks import sql
from benchmarks.data import Data
from postgres_host import run

CORES = os.process_cpu_count() or 1
CLIENTS = 8


def hashes(seconds: float) -> tuple[float, float]:
    """Verify passwords on all cores for ``seconds``; return verifications per second, and CPU ms of each."""
    with ProcessPoolExecutor(CORES) as processes:
        list(processes.map(_verify, [0.1] * CORES))  # starts the processes
        rates, milliseconds = zip(*processes.map(_verify, [seconds] * CORES), strict=True)
        return sum(rates), mean(milliseconds)


def _verify(seconds: float) -> tuple[float, float]:
    hashed, number = PASSWORD_HASH.hash("correct-horse-battery"), 0
    started, used = time.perf_counter(), time.process_time()
    while time.perf_counter() < started + seconds:
        PASSWORD_HASH.verify("correct-horse-battery", hashed)
        number += 1
    return number / (time.perf_counter() - started), 1000 * (time.process_time() - used) / number


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
