"""The native engine: each verb of ``make``, as processes of this machine and an embedded PostgreSQL."""

import os
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import SubprocessError

from daemon import locked
from environment import effective
from postgres import NAME, Cluster, PostgresError
from postgres_host import PORT, program, without_libpq
from server import SERVICES, STATE, Server, ServerError

PATIENCE = 120.0
READY = """
The API answers on {url} and shows itself on {url}/docs
  make seed                                             sample data
  {curl:52}  the users of a group
  make smoke                                            sign up, sign in, and the rest of it once
{mails}  make logs                                             what it says
  make down                                             stop; the data stay"""


MAILS = "  make mails                                            mail that would have been sent: it lands in {folder}\n"


class Native:
    """The verbs."""

    def __init__(self) -> None:
        STATE.mkdir(exist_ok=True)
        self.cluster = Cluster(STATE / "postgres")
        self.environment = {**without_libpq(effective()), "DATABASE_URL": self.cluster.url(role="accounts_api")}
        if not (self.environment.get("SMTP_HOST") or self.environment.get("MAIL_FOLDER")):
            self.environment["MAIL_FOLDER"] = str(STATE / "mail")
        self.server = Server(self.environment)

    def up(self) -> None:
        """Start what does not run yet, and return when the API is ready."""
        with locked(STATE / "lock", PATIENCE):
            if not (self.cluster.ready() and self.server.current()) or self.server.readiness():
                self._start()
        folder = "" if self.environment.get("SMTP_HOST") else self.environment["MAIL_FOLDER"]
        mails = MAILS.format(folder=os.path.relpath(folder)) if folder else ""
        print(READY.format(url=self.server.url, curl=f"curl -s {self.server.url}/user-groups/1/users", mails=mails))

    def down(self) -> None:
        """Stop the API, then PostgreSQL."""
        with locked(STATE / "lock", PATIENCE):
            self.server.stop()
            self.cluster.stop()

    def migrate(self) -> None:
        """Bring the schema up to date."""
        self.cluster.start()
        # In a session of its own an interrupt does not reach it, which would print a traceback: it is just ended.
        self._run("alembic", "upgrade", "head", owner=True, apart=True)

    def seed(self) -> None:
        """Add sample data, for USERS users where that is given."""
        users = self.environment.get("USERS")
        self.migrate()
        self._run("accounts.seeder", *(["--users", users] if users else []), owner=True)

    def superuser(self) -> None:
        """Make EMAIL a superuser."""
        email = self.environment.get("EMAIL")
        if not email:
            sys.exit("accounts: EMAIL is not given, as in: make superuser EMAIL=me@example.com")
        self.migrate()
        self._run("accounts.commands.superuser", email)

    def admin(self) -> None:
        """Administer as ARGS says."""
        arguments = shlex.split(self.environment.get("ARGS", ""))
        self.migrate()
        self._run("accounts.commands.admin", *(arguments or ["--help"]), owner=True)

    def dev(self) -> None:
        """Serve in the foreground, and again at each change of the code."""
        if self.server.running():
            _say("The API in the background is stopped, this one takes its place")
            self.server.stop_api()
        self.server.require_port()
        self.migrate()
        self.server.start_worker({"DATABASE_URL": self.cluster.url()})
        application = ["accounts.api.dev:create_app", "--factory", "--reload", "--reload-dir", "accounts"]
        where = ["--host", self.server.host, "--port", str(self.server.port)]
        self.environment.pop("WEB_CONCURRENCY", None)  # uvicorn reads it too, and warns that reloading allows one
        os.chdir(SERVICES)
        os.execve(sys.executable, [sys.executable, "-m", "uvicorn", *application, *where], self.environment)  # noqa: S606  # no shell on purpose

    def mails(self) -> None:
        """List the mail of development, the newest last."""
        folder = Path(self.environment.get("MAIL_FOLDER", ""))
        if self.environment.get("SMTP_HOST"):
            sys.exit("accounts: mail goes to SMTP_HOST")
        print(*sorted(map(str, folder.glob("*.eml"))) or ["There is none yet"], sep="\n")

    def logs(self) -> None:
        """Follow what the API and PostgreSQL say, until it is interrupted."""
        logs = [log for log in (self.server.log, self.server.worker_log, self.cluster.log) if log.exists()]
        if not logs:
            sys.exit("accounts: there are no logs yet: make up")
        with suppress(KeyboardInterrupt):
            subprocess.run(["tail", "-n", "100", "-F", *logs], check=False)

    def psql(self) -> None:
        """Become psql, with the rest of the command line."""
        self.cluster.start()
        os.execve(program("psql"), ["psql", self.cluster.url(), *sys.argv[2:]], without_libpq(os.environ))  # noqa: S606  # no shell on purpose

    def tool(self) -> None:
        """Become a program of PostgreSQL, with the rest of the command line, as the owner of the database."""
        self.cluster.start()
        where = {"PGHOST": str(self.cluster.sockets), "PGPORT": PORT, "PGUSER": NAME}
        name, *arguments = sys.argv[2:]
        os.execve(program(name), [name, *arguments], without_libpq(os.environ) | where)  # noqa: S606  # no shell on purpose

    def clean(self) -> None:
        """Stop, and delete the data when YES=1 or the answer is yes."""
        if os.environ.get("YES") != "1":
            print("This deletes the database. Type yes to go on: ", end="", flush=True)
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
        stay = self.cluster.ready()
        if self.server.running():
            _say("The API restarts: its settings or code have changed, or it or PostgreSQL has stopped answering")
        else:
            _say("Starting PostgreSQL, the migrations and the API")
        try:
            self.migrate()
            self.server.stop()
            self.server.start({"DATABASE_URL": self.cluster.url()})
        except BaseException:
            if not stay:
                self.cluster.stop()
            raise

    def _run(self, module: str, *arguments: str, owner: bool = False, apart: bool = False) -> None:
        command = [sys.executable, "-m", module, *arguments]
        environment = self.environment | ({"DATABASE_URL": self.cluster.url()} if owner else {})
        done = subprocess.run(command, cwd=SERVICES, env=environment, check=False, start_new_session=apart)
        if done.returncode:
            sys.exit(done.returncode)  # it has said why


def _say(message: str) -> None:
    print(message, flush=True)


def main() -> None:
    """Do the verb that the command line begins with."""
    verbs = ("up", "down", "migrate", "seed", "superuser", "admin", "dev", "mails", "logs", "psql", "tool", "clean")
    if not set(sys.argv[1:2]) & set(verbs):
        sys.exit(f"accounts: usage: scripts/native {'|'.join(verbs)}")
    try:
        getattr(Native(), sys.argv[1])()
    except BlockingIOError:
        sys.exit("accounts: another command is at work: try again when it is done")
    except (PostgresError, ServerError, OSError, SubprocessError) as error:
        sys.exit(f"accounts: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
