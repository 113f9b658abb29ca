"""Replaces the API containers behind the proxy (compose.proxy.yaml) one by one, without failed requests.

For each outdated container it starts a new one, waits until that is ready, then drains the old one and removes it.
Containers that are up to date stay, unless --all is given, for example after a change in a file of secrets.
Needs only Python 3.9.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

PATIENCE = 60.0  # seconds for the proxy to find a new container
DRAIN = 30.0  # seconds: more than gunicorn's graceful_timeout, and than any request takes
ASK = 'exec 3<>/dev/tcp/127.0.0.1/9999 && printf "%s\\n" "$1" >&3 && cat <&3'
NAME, ADDRESS, STATE = 3, 4, 5  # columns of `show servers state`
RUNNING, NONE = "2", "-"


class ReplaceError(Exception):
    """A step failed. The running containers go on serving."""


def run(*command: str) -> str:
    """Run a command and return its output; errors are printed.

    Raises:
        ReplaceError: it failed.

    """
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=False)
    if done.returncode:
        raise ReplaceError(f"{' '.join(command[:3])} failed, see above")
    return done.stdout.strip()


def compose(*arguments: str) -> str:
    """Run `docker compose` and return its output."""
    return run("docker", "compose", "--progress", "quiet", *arguments)


def proxy(command: str) -> str:
    """Send a command to HAProxy's runtime API and return the response."""
    return compose("exec", "-T", "proxy", "bash", "-c", ASK, "ask", command)


def inspect(container: str) -> Any:
    """Return the output of `docker inspect` for a container."""
    return json.loads(run("docker", "inspect", container))[0]


def stale(container: str, image: str, config: str) -> bool:
    """Return whether a container has another image or other settings than a new one would have."""
    found = inspect(container)
    return bool(found["Image"] != image or found["Config"]["Labels"]["com.docker.compose.config-hash"] != config)


def servers() -> dict[str, list[str]]:
    """Return the columns of `show servers state`, by the name of the server."""
    lines = [line.split() for line in proxy("show servers state api").splitlines()[2:]]
    return {line[NAME]: line for line in lines if len(line) > STATE}


def slot(container: str) -> str:
    """Return the name of the server that a running container is in the proxy; empty if it is none yet."""
    networks = inspect(container)["NetworkSettings"]["Networks"].values()
    addresses = {network["IPAddress"] for network in networks}
    return next(
        (name for name, server in servers().items() if server[ADDRESS] in addresses and server[STATE] == RUNNING), ""
    )


def sessions(server: str) -> int:
    """Return the number of requests in progress on a server."""
    header, *lines = proxy("show stat api 4 -1").lstrip("# ").splitlines()
    column = header.split(",").index("scur")
    return next(int(line.split(",")[column]) for line in lines if line.split(",")[1] == server)


def wait(condition: Any, seconds: float, message: str) -> Any:
    """Poll ``condition`` until it is true, and return its result.

    Raises:
        ReplaceError: it is not true after ``seconds``; ``message`` says what failed.

    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise ReplaceError(message)
        time.sleep(0.2)
    return answer


def start(count: int) -> None:
    """Scale up to ``count`` containers, without touching the existing ones; return when all are ready."""
    compose("up", "--no-deps", "--no-recreate", "--no-build", "--wait", "--scale", f"api={count}", "api")


def end(container: str) -> None:
    """Drain a container, stop it and remove it."""
    server = slot(container)
    if server:
        proxy(f"set server api/{server} state drain")
        wait(lambda: sessions(server) == 0, DRAIN, f"{server} did not finish its requests")
    run("docker", "stop", container)
    run("docker", "rm", container)
    if server:  # enabled again only after the proxy dropped the address, which would not even refuse connections
        wait(lambda: servers()[server][ADDRESS] == NONE, PATIENCE, f"the proxy did not drop the address of {server}")
        proxy(f"set server api/{server} state ready")


def main() -> None:
    """Replace the outdated containers."""
    service = json.loads(compose("config", "--format", "json"))["services"]["api"]
    count = int(service.get("scale", 1))
    image = run("docker", "image", "inspect", "--format", "{{.Id}}", service["image"])
    config = compose("config", "--hash", "api").split()[-1]
    current = compose("ps", "--quiet", "api").split()
    old = [container for container in current if "--all" in sys.argv or stale(container, image, config)]
    for number, container in enumerate(old, 1):
        start(max(count, len(current)) + 1)
        for fresh in set(compose("ps", "--quiet", "api").split()) - set(current):
            wait(lambda fresh=fresh: slot(fresh), PATIENCE, f"the proxy did not find {fresh[:12]}")
        end(container)
        current = compose("ps", "--quiet", "api").split()
        print(f"Replaced {number} of {len(old)}", flush=True)
    if not old:
        print("All API containers are up to date")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--all"]):
        sys.exit("usage: deploy/replace.py [--all]")
    try:
        main()
    except (ReplaceError, OSError) as error:
        sys.exit(f"replace: {error}")
