"""Restores that are killed: the database is the previous or the restored one, and another restore works."""

import itertools
import os
import subprocess
import sys
from signal import SIGKILL

import pytest

from accounts.readiness import expected_revisions
from conftest import url_of
from support.people import SCHEMA_OWNER
from support.processes import environment
from support.restores import PRESENT, RESTORED, Restore

# For each number n that it reads, runs all steps in a fork, which kills itself before the nth statement or commit, and
# so also between two steps; writes the status. Of the statements on the copy it counts those that concern the revision:
# the checks, and each migration.
FORKS = """
import asyncio, asyncpg, os, signal, sys
from sqlalchemy import Engine, event
from accounts.commands import restore

url, restored, backup = sys.argv[1:]
remaining = 0

def count(connection, cursor=None, statement="", *_):
    global remaining
    if connection.engine.url.database == "postgres" or "alembic_version" in statement:
        remaining -= 1
        if not remaining:
            os.kill(os.getpid(), signal.SIGKILL)

async def fill():
    connection = await asyncpg.connect(url)
    await connection.execute(f"DROP DATABASE {restored}")
    await connection.execute(f"CREATE DATABASE {restored} TEMPLATE {backup}")

def run():
    restore.main(["prepare"])
    asyncio.run(fill())
    restore.main(["finish"])
    restore.main(["clean"])

event.listen(Engine, "before_cursor_execute", count)
event.listen(Engine, "commit", count)
for line in sys.stdin:
    remaining = int(line)
    fork = os.fork()
    if not fork:
        sys.stdout = sys.stderr
        run()
        os._exit(0)
    print(os.waitpid(fork, 0)[1], flush=True)
"""


@pytest.mark.slow(seconds=40)
def test_database_is_complete_wherever_a_restore_is_killed_and_the_next_one_works(
    restoring: Restore, owned_database: str
) -> None:
    names = (url_of("postgres", SCHEMA_OWNER), f"{restoring.current}_restored", restoring.backup)
    command = [sys.executable, "-c", FORKS, *names]
    pipe = subprocess.PIPE
    seen = []
    with subprocess.Popen(command, env=environment(owned_database), stdin=pipe, stdout=pipe, text=True) as forks:
        assert forks.stdin
        assert forks.stdout
        for number in itertools.count(1):
            restoring.mark(PRESENT)
            print(number, file=forks.stdin, flush=True)
            status = int(forks.stdout.readline())
            if status == 0:
                break
            assert os.WTERMSIG(status) == SIGKILL
            seen.append(restoring.groups())
            assert restoring.fetch("SELECT version_num FROM alembic_version") == expected_revisions()
            restoring.run()
            assert (restoring.databases(), restoring.groups()) == ({""}, RESTORED)

    swapped = seen.index(RESTORED)
    assert seen == [PRESENT] * swapped + [RESTORED] * (len(seen) - swapped)
    assert swapped > 10
