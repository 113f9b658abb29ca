"""Replaces the API containers behind the proxy one by one, so that no request fails: compose.proxy.yaml.

Each time a new one is started and is ready before an old one gets no more requests, finishes those it has, and ends.
Those that are as they should be stay, unless --all is said, as after a change in a file of secrets.
Runs on whatever ``python3`` a machine has (3.9 or later).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

PATIENCE = 60.0  # for the proxy to notice a new container
DRAIN = 30.0  # longer than gunicorn's graceful_timeout, and than any request may take
ASK = 'exec 3<>/dev/tcp/127.0.0.1/9999 && printf "%s\\n" "$1" >&3 && cat <&3'
NAME, ADDRESS, STATE = 3, 4, 5  # columns of `show servers state`
RUNNING, NONE = "2", "-"


class ReplaceError(Exception):
    """Something did not come about; what ran goes on."""


def run(*command: str) -> str:
    """What a command prints; what it complains of is seen.

    Raises:
        ReplaceError: it failed.

    """
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=False)
    if done.returncode:
        raise ReplaceError(f"{' '.join(command[:3])} failed, for the reason above")
    return done.stdout.strip()


def compose(*arguments: str) -> str:
    """What `docker compose` prints."""
    return run("docker", "compose", "--progress", "quiet", *arguments)


def proxy(command: str) -> str:
    """The proxy's answer to a command of HAProxy's run-time API."""
    return compose("exec", "-T", "proxy", "bash", "-c", ASK, "ask", command)


def inspect(container: str) -> Any:
    """All that Docker knows of a container."""
    return json.loads(run("docker", "inspect", container))[0]


def stale(container: str, image: str, config: str) -> bool:
    """Whether a container is of another image, or of other settings, than it would be if it were made now."""
    found = inspect(container)
    return bool(found["Image"] != image or found["Config"]["Labels"]["com.docker.compose.config-hash"] != config)


def servers() -> dict[str, list[str]]:
    """What the proxy knows of each of its servers, by their names."""
    lines = [line.split() for line in proxy("show servers state api").splitlines()[2:]]
    return {line[NAME]: line for line in lines if len(line) > STATE}


def slot(container: str) -> str:
    """What the proxy calls a container that serves; empty while it does not."""
    networks = inspect(container)["NetworkSettings"]["Networks"].values()
    addresses = {network["IPAddress"] for network in networks}
    return next((name for name, each in servers().items() if each[ADDRESS] in addresses and each[STATE] == RUNNING), "")


def sessions(server: str) -> int:
    """How many requests the proxy has with a server."""
    header, *lines = proxy("show stat api 4 -1").lstrip("# ").splitlines()
    column = header.split(",").index("scur")
    return next(int(line.split(",")[column]) for line in lines if line.split(",")[1] == server)


def wait(condition: Any, seconds: float, what: str) -> Any:
    """The first true answer of ``condition``.

    Raises:
        ReplaceError: there was none for so many seconds.

    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise ReplaceError(what)
        time.sleep(0.2)
    return answer


def start(count: int) -> None:
    """Have so many containers, beside those that are there; return when all of them are ready."""
    compose("up", "--no-deps", "--no-recreate", "--no-build", "--wait", "--scale", f"api={count}", "api")


def end(container: str) -> None:
    """Let a container finish what it has, without another request, and remove it."""
    server = slot(container)
    if server:
        proxy(f"set server api/{server} state drain")
        wait(lambda: sessions(server) == 0, DRAIN, f"{server} does not finish its requests")
    run("docker", "stop", container)
    run("docker", "rm", container)
    if server:  # until the proxy has forgotten the address it would be tried, and nobody refuses there
        wait(lambda: servers()[server][ADDRESS] == NONE, PATIENCE, f"the proxy does not forget {server}")
        proxy(f"set server api/{server} state ready")


def main() -> None:
    """Replace what is stale."""
    wanted = json.loads(compose("config", "--format", "json"))["services"]["api"]
    count = int(wanted.get("scale", 1))
    image = run("docker", "image", "inspect", "--format", "{{.Id}}", wanted["image"])
    config = compose("config", "--hash", "api").split()[-1]
    there = compose("ps", "--quiet", "api").split()
    old = [container for container in there if "--all" in sys.argv or stale(container, image, config)]
    for number, container in enumerate(old, 1):
        start(max(count, len(there)) + 1)
        for fresh in set(compose("ps", "--quiet", "api").split()) - set(there):
            wait(lambda fresh=fresh: slot(fresh), PATIENCE, f"the proxy does not find {fresh[:12]}")
        end(container)
        there = compose("ps", "--quiet", "api").split()
        print(f"Replaced {number} of {len(old)}", flush=True)
    if not old:
        print("Every API container is as it should be")


if __name__ == "__main__":
    try:
        main()
    except (ReplaceError, OSError) as error:
        sys.exit(f"replace: {error}")
