"""Backups and restores on the native engine, as make runs them. The docker engine differs in how it starts programs."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import Project
from support.restores import INVALID, MARK, PRESENT, RESTORED, RIGHTS
from support.waiting import PATIENCE, wait_until

GROUPS = "SELECT name FROM user_group"
DATABASES = "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')"
ZLIB = b"x\x9c"  # begins the rows of a table in a backup
TWENTY_MB = "SELECT 'test', to_jsonb(repeat(md5(n::text), 10)) FROM generate_series(1, 60000) n"
PG_RESTORE = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_restore'"


class Native:
    """The native engine in a copy of the project."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root)
        self.environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {"YES": "1"}
        self.project.run("python3", "scripts/environment.py", folder=".")

    def start(self, *command: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.project.root, env=self.environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def refusal(self, *command: str) -> str:
        """Run a command that fails, and return the one line that it prints."""
        process = self.start(*command)
        out, err = process.communicate(timeout=2 * PATIENCE)
        assert (process.returncode, len(err.splitlines())) == (1, 1), out + err
        return err.strip()

    def run(self, *command: str) -> str:
        return self.project.run(*command, folder=".", **self.environment)

    def sql(self, statement: str, database: str = "accounts") -> set[str]:
        """Run a statement, and return the lines that psql prints."""
        tool = ("scripts/native", "tool", "psql", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1")
        return set(self.run(*tool, "--dbname", database, "--command", statement).splitlines())

    def mark(self, groups: set[str]) -> None:
        """Replace the groups in the database."""
        (name,) = groups
        self.sql(MARK.format(name))

    def dump(self, database: str = "accounts") -> str:
        """Dump a database, and return the name of the file."""
        file = self.project.root / f"{database}.dump"
        tool = (self.project.root / "scripts/native", "tool", "pg_dump", "--format", "custom", "--dbname", database)
        file.write_bytes(subprocess.run(tool, env=self.environment, capture_output=True, check=True).stdout)
        return file.name

    def restore(self, file: str) -> tuple[str, ...]:
        return ("scripts/backup", "native", "restore", file)

    def is_unchanged(self) -> bool:
        return (self.sql(GROUPS), self.sql(DATABASES)) == (PRESENT, {"accounts"})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    native = Native(tmp_path_factory.mktemp("backup") / "copy")
    try:
        native.run("scripts/native", "migrate")
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            native.sql(f"ALTER SYSTEM SET {setting} = off")
        native.sql("SELECT pg_reload_conf()")
        yield native
    finally:
        native.run("scripts/native", "clean")


@pytest.fixture
def native(engine: Native) -> Native:
    engine.mark(PRESENT)
    return engine


@pytest.fixture
def backup(native: Native) -> str:
    """A backup whose groups are RESTORED."""
    native.mark(RESTORED)
    printed = native.run("scripts/backup", "native", "create")
    native.mark(PRESENT)
    return printed.strip().rpartition("FILE=")[2]


@pytest.mark.slow(seconds=10)
def test_restore_brings_back_rows_and_rights_without_the_api(native: Native, backup: str) -> None:
    rights = native.sql(RIGHTS)

    printed = native.run(*native.restore(backup))

    assert printed.endswith("Restored the backup, with 0 users\n")
    assert (native.sql(GROUPS), native.sql(DATABASES)) == (RESTORED, {"accounts"})
    assert native.sql(RIGHTS) == rights


@pytest.mark.slow(seconds=10)
def test_backup_is_restored_on_a_machine_that_has_no_database_yet(native: Native, backup: str, tmp_path: Path) -> None:
    other = Native(tmp_path / "copy")
    try:
        other.run(*other.restore(str(native.project.root / backup)))

        assert other.sql(GROUPS) == RESTORED
        assert other.sql(RIGHTS) == native.sql(RIGHTS)
    finally:
        other.run("scripts/native", "clean")


@pytest.mark.slow(seconds=10)
@pytest.mark.parametrize(
    ("damage", "reason"),
    [("DROP DATABASE {}", 'database "accounts" does not exist'), (INVALID, 'cannot connect to invalid database "acc')],
)
def test_damaged_database_is_explained_and_can_be_restored(
    native: Native, backup: str, damage: str, reason: str
) -> None:
    native.sql(damage.format("accounts"), "postgres")

    explained = native.refusal("scripts/native", "up")
    native.run(*native.restore(backup))

    assert explained.startswith(f"migrate: nothing was changed: {reason}")
    assert "make restore FILE=" in explained
    assert native.sql(GROUPS) == RESTORED


@pytest.mark.slow(seconds=20)
def test_file_that_is_no_backup_is_refused_in_one_line(native: Native, backup: str, tmp_path: Path) -> None:
    content = (native.project.root / backup).read_bytes()
    data = content.rindex(ZLIB)
    damaged = content[: data + 4] + b"damaged" + content[data + 11 :]
    for number, wrong in enumerate((b"", content[:data], damaged)):
        (tmp_path / str(number)).write_bytes(wrong)

    for file in sorted(tmp_path.iterdir()):
        assert native.refusal(*native.restore(str(file))).startswith("accounts: nothing was changed: ")
    for missing in ("", "missing", str(tmp_path)):
        assert native.refusal(*native.restore(missing)).startswith("accounts: ")

    assert native.is_unchanged()


@pytest.mark.slow(seconds=10)
def test_backup_of_another_database_is_refused(native: Native) -> None:
    native.sql("CREATE DATABASE other", "postgres")
    native.sql("CREATE TABLE invoice (id int)", "other")
    other = native.dump("other")
    native.sql("DROP DATABASE other", "postgres")

    assert "not a backup of this service" in native.refusal(*native.restore(other))
    assert native.is_unchanged()


@pytest.mark.slow(seconds=10)
def test_restore_that_is_killed_during_pg_restore_can_be_repeated(native: Native, backup: str) -> None:
    pipe = native.project.root / "pipe"
    os.mkfifo(pipe)
    with pipe.open("r+b", buffering=0) as file:  # pg_restore waits for more
        process = native.start(*native.restore(pipe.name))
        content = (native.project.root / backup).read_bytes()
        file.write(content[: content.rindex(ZLIB)])
        wait_until("pg_restore is connected", lambda: native.sql(PG_RESTORE) == {"1"})
        process.kill()
        process.wait(PATIENCE)
        assert native.refusal(*native.restore(backup)) == "restore: another restore is running"
    process.communicate()

    assert native.sql(GROUPS) == PRESENT
    wait_until("pg_restore has ended", lambda: native.sql(PG_RESTORE) == {"0"})
    native.run(*native.restore(backup))
    assert (native.sql(GROUPS), native.sql(DATABASES)) == (RESTORED, {"accounts"})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Native]:
    """An engine whose data is on a file system of 200 MB."""
    native = Native(tmp_path / "copy")
    home = native.project.root / ".local" / "postgres"
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(home)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("only root can mount a file system")
    try:
        native.run("scripts/native", "migrate")
        yield native
    finally:
        native.run("scripts/native", "down")
        subprocess.run(["umount", home], check=True)  # noqa: S607  # of the system


@pytest.mark.slow(seconds=60)
def test_full_disk_during_a_restore_changes_nothing(small_disk: Native) -> None:
    small_disk.mark(RESTORED)
    small_disk.sql(f"INSERT INTO audit_event (action, detail) {TWENTY_MB}")
    file = small_disk.dump()
    small_disk.mark(PRESENT)
    small_disk.sql("TRUNCATE audit_event")
    ballast = small_disk.project.root / ".local" / "postgres" / "ballast"

    for free in (2, 14):  # MB: not enough for an empty database, and not enough for all rows
        space = os.statvfs(ballast.parent)
        with ballast.open("wb") as full:
            os.posix_fallocate(full.fileno(), 0, space.f_bavail * space.f_bsize - free * 2**20)
        process = small_disk.start(*small_disk.restore(file))
        out, err = process.communicate(timeout=2 * PATIENCE)
        assert process.returncode == 1, out
        assert "No space left on device" in err
        ballast.unlink()
        small_disk.run("scripts/native", "down")  # PostgreSQL ends if the disk has no space for its log
        small_disk.run("scripts/native", "migrate")
        assert small_disk.sql(GROUPS) == PRESENT

    small_disk.run(*small_disk.restore(file))
    assert (small_disk.sql(GROUPS), small_disk.sql(DATABASES)) == (RESTORED, {"accounts"})
