"""The native engine: runs the commands of ``make`` as processes of this machine, with an embedded PostgreSQL."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import SubprocessError

from daemon import locked
from env_file import EnvFileError
from environment import effective, remember
from postgres import NAME, Cluster, PostgresError
from postgres_host import PORT, program, unprivileged, without_libpq
from ready import ready
from server import SERVICES, STATE, Server, ServerError, unchanged_since

PATIENCE = 120.0
STARTS = {"up", "dev"}  # they start the API with the variables of their own command line; other commands follow them
SERVER_PROGRAMS = {"pg_basebackup", "pg_ctl"}  # root may not run them, or would own the files


class Native:
    """The commands, one method each."""

    def __init__(self, verb: str) -> None:
        STATE.mkdir(exist_ok=True)
        self.cluster = Cluster(STATE / "postgres")
        variables = effective({}) if verb in STARTS else effective()
        self.environment = {**without_libpq(variables), "DATABASE_URL": self.cluster.url(role="accounts_api")}
        if not (self.environment.get("SMTP_HOST") or self.environment.get("MAIL_FOLDER")):
            self.environment["MAIL_FOLDER"] = str(STATE / "mail")
        self.server = Server(self.environment)
        self.development = self.environment.get("ENVIRONMENT") == "development"

    def up(self) -> None:
        """Start everything, and wait until the API is ready. A running API restarts if its code or settings changed."""
        with locked(STATE / "lock", PATIENCE):
            if not (self.cluster.ready() and self.server.current()) or self.server.readiness():
                self._start()
        remember()
        print(ready(self.server.url, self.environment))

    def down(self) -> None:
        """Stop API and worker, then PostgreSQL."""
        with locked(STATE / "lock", PATIENCE):
            self.server.stop()
            self.cluster.stop()

    def migrate(self) -> None:
        """Migrate the database to the latest schema."""
        if not self.cluster.ready():
            _say("Starting PostgreSQL")
            self.cluster.start()
        _say("Migrating the database")
        migrated = self.cluster.home / "migrated"
        fresh = migrated.with_suffix(".new")
        fresh.write_text(self._migrated_with())  # now: a file that changes during the migration is newer
        # In a new session, so that Ctrl-C does not reach Alembic, which would print a traceback.
        self._run("alembic", "upgrade", "head", owner=True, new_session=True)
        fresh.replace(migrated)

    def prepare(self) -> None:
        """Migrate the database, unless code, settings and server are those of the last migration."""
        migrated = self.cluster.home / "migrated"
        if not (
            self.cluster.ready()
            and migrated.exists()
            and migrated.read_text() == self._migrated_with()
            and unchanged_since(migrated)
        ):
            self.migrate()

    def seed(self) -> None:
        """Add sample data; USERS sets how many users."""
        users = self.environment.get("USERS")
        self.prepare()
        self._run("accounts.seeder", *(["--users", users] if users else []), owner=True)

    def superuser(self) -> None:
        """Create the superuser EMAIL."""
        email = self.environment.get("EMAIL")
        if not email:
            sys.exit("accounts: EMAIL is missing. Example: make superuser EMAIL=me@example.com")
        self.prepare()
        self._run("accounts.commands.superuser", email)

    def admin(self) -> None:
        """Run an administration command, which ARGS contains: words without blanks, in which a quote is a character."""
        arguments = self.environment.get("ARGS", "").split()
        if arguments:
            self.prepare()
        self._run("accounts.commands.admin", *(arguments or ["--help"]), owner=True)

    def import_users(self) -> None:
        """Import users from standard input; further arguments are passed on."""
        self._run("accounts.commands.import_users", *sys.argv[2:])

    def export_users(self) -> None:
        """Export users to standard output."""
        self._run("accounts.commands.export_users")

    def restore(self) -> None:
        """Run a step of a restore: ``prepare``, ``finish`` or ``clean``."""
        self.cluster.start()
        self._run("accounts.commands.restore", *sys.argv[2:], owner=True)

    def dev(self) -> None:
        """Run the API in the foreground, and reload it when the code changes."""
        if self.server.running():
            _say("Stopping the API that runs in the background")
            self.server.stop_api()
        self.server.require_port()
        self.migrate()
        remember()
        self.server.start_worker({"DATABASE_URL": self.cluster.url()})
        application = ["accounts.api.dev:create_app", "--factory", "--reload", "--reload-dir", "accounts"]
        where = ["--host", self.server.host, "--port", str(self.server.port)]
        self.environment.pop("WEB_CONCURRENCY", None)  # uvicorn reads it too, and warns that reloading allows one
        os.chdir(SERVICES)
        os.execve(sys.executable, [sys.executable, "-m", "uvicorn", *application, *where], self.environment)  # noqa: S606  # no shell on purpose

    def mails(self) -> None:
        """List the mails written in development, the newest last."""
        folder = Path(self.environment.get("MAIL_FOLDER", ""))
        if self.environment.get("SMTP_HOST"):
            sys.exit("accounts: mail is sent to SMTP_HOST, not written to files")
        print(*sorted(map(os.path.relpath, folder.glob("*.eml"))) or ["No mail yet"], sep="\n")

    def logs(self) -> None:
        """Follow the logs of the API, the worker and PostgreSQL, until interrupted."""
        logs = [log for log in (self.server.log, self.server.worker_log, self.cluster.log) if log.exists()]
        if not logs:
            sys.exit("accounts: no logs yet; run make up first")
        with suppress(KeyboardInterrupt):
            subprocess.run(["tail", "-n", "100", "-F", *logs], check=False)

    def psql(self) -> None:
        """Replace this process with psql; further arguments are passed to it."""
        self.cluster.start()
        _become("psql", self.cluster.url(), *sys.argv[2:])

    def tool(self) -> None:
        """Replace this process with a PostgreSQL program, connected as the owner of the database."""
        if not sys.argv[2:]:
            sys.exit("accounts: usage: scripts/native tool PROGRAM …")
        self.cluster.start()
        where = {"PGHOST": str(self.cluster.sockets), "PGPORT": PORT, "PGUSER": NAME}
        name, *arguments = sys.argv[2:] or sys.exit("accounts: usage: scripts/native tool PROGRAM …")
        prefix = unprivileged(self.cluster.home) if name in SERVER_PROGRAMS else ()
        _become(name, *arguments, prefix=prefix, **where)

    def clean(self) -> None:
        """Stop everything and delete the data, after a question; YES=1 skips it."""
        if os.environ.get("YES") != "1":
            print("This deletes the database. Type yes to continue: ", end="", flush=True)
            if sys.stdin.readline().strip() != "yes":
                sys.exit("accounts: nothing was deleted")
        self.down()
        for directory in (self.cluster.home, self.cluster.sockets):
            shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(STATE / "mail", ignore_errors=True)
        for file in (*STATE.glob("api.*"), *STATE.glob("worker.*")):
            file.unlink()

    def _start(self) -> None:
        self.server.require_port()
        was_running = self.cluster.ready()
        if self.server.running():
            _say("Restarting the API: its settings or code changed, or it or PostgreSQL is not responding")
        try:
            self._migrate_first()
            self.server.stop()
            _say("Starting the API and the worker")
            self.server.start({"DATABASE_URL": self.cluster.url()})
        except BaseException:
            if not was_running:
                self.cluster.stop()
            raise

    def _migrate_first(self) -> None:
        """Migrate before the API stops, so that it keeps running if a setting is wrong or the migration fails."""
        try:
            if not self.development:  # the worker needs a mail server then
                self._run("accounts.worker", "--check", owner=True)
            self.migrate()
        except SystemExit:
            if self.server.running():
                print("accounts: the running API was not changed", file=sys.stderr)
            raise

    def _migrated_with(self) -> str:
        """Describe what a migration depends on besides the code: the settings, and PostgreSQL since its start."""
        return f"{(self.cluster.home / 'pid').stat().st_mtime_ns} {self.server.fingerprint()}"

    def _run(self, module: str, *arguments: str, owner: bool = False, new_session: bool = False) -> None:
        command = [sys.executable, "-m", module, *arguments]
        environment = self.environment | ({"DATABASE_URL": self.cluster.url()} if owner else {})
        done = subprocess.run(command, cwd=SERVICES, env=environment, check=False, start_new_session=new_session)
        if done.returncode:
            sys.exit(done.returncode)  # it printed the reason


def _become(name: str, *arguments: str, prefix: Sequence[str] = (), **variables: str) -> None:
    """Replace this process with a PostgreSQL program, which finds its own files by the path in its arguments."""
    command = [*prefix, program(name), *arguments]
    os.execvpe(command[0], command, without_libpq(os.environ) | variables)  # noqa: S606  # no shell on purpose


def _say(message: str) -> None:
    print(message, flush=True)


def main() -> None:
    """Run the command that the command line names."""
    verbs = [name for name in vars(Native) if not name.startswith("_")]
    if not set(sys.argv[1:2]) & set(verbs):
        sys.exit(f"accounts: usage: scripts/native {'|'.join(verbs)}")
    try:
        getattr(Native(sys.argv[1]), sys.argv[1])()
    except BlockingIOError:
        sys.exit("accounts: another command is running; try again when it has finished")
    except EnvFileError as error:
        sys.exit(f".env: {error}")
    except (PostgresError, ServerError, OSError, SubprocessError) as error:
        sys.exit(f"accounts: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
