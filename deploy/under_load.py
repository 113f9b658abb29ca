"""Sends requests to the API while a command runs, for example a deployment: under_load.py URL COMMAND [ARGUMENT …].

Prints the number of requests, the failed ones and their durations; exits with status 1 if any failed. Unless SIGN_UP
is open, the variables LOAD_EMAIL and LOAD_PASSWORD name an account to use. Needs only Python 3.9.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from itertools import count
from threading import Event, Thread
from urllib.parse import urlencode, urlsplit

CLIENTS = 8
PATIENCE = 30.0
SLOW = 1.0  # seconds after which a request is counted as slow
AFTER = 3.0  # seconds of load after the command has ended
PAUSE = 0.1  # seconds between a client's requests: the proxy limits new connections by client
ROUNDS_PER_WRITE = 20  # two seconds: the API limits the writes of a user to 300 a minute
READ, WRITE = ("GET", "/users/me", ""), ("PATCH", "/users/me", '{"display_name": "Load"}')


class Load:
    """Clients that read, and write now and then, and the responses that they got."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._headers = {"Content-Type": "application/json"}
        self._ended = Event()
        self.outcomes: Counter[str] = Counter()
        self.times: list[float] = []

    def sign_in(self) -> None:
        """Sign in, as a new user unless LOAD_EMAIL names one; all requests are made as that user."""
        email = os.environ.get("LOAD_EMAIL", f"load-{secrets.token_hex(8)}@example.com")
        password = os.environ.get("LOAD_PASSWORD", secrets.token_urlsafe(24))
        if "LOAD_EMAIL" not in os.environ:
            self._once("POST", "/auth/register", json.dumps({"email": email, "password": password}))
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        _, text = self._once("POST", "/auth/jwt/login", urlencode({"username": email, "password": password}), form)
        self._headers["Authorization"] = f"Bearer {json.loads(text)['access_token']}"

    def during(self, command: list[str]) -> int:
        """Send requests while the command runs; return its exit status."""
        threads = [Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
        finally:
            time.sleep(AFTER)
            self._ended.set()
            for thread in threads:
                thread.join()

    def _client(self, number: int) -> None:
        """Send requests: half of the clients keep their connection, half open one for each request."""
        connection = HTTPConnection(*self._address, timeout=PATIENCE)
        for turn in count():
            if self._ended.is_set():
                break
            for method, path, body in (READ,) if turn % ROUNDS_PER_WRITE else (READ, WRITE):
                started = time.perf_counter()
                self.outcomes[f"{method} {self._outcome(connection, method, path, body)}"] += 1
                self.times.append(time.perf_counter() - started)
                if number % 2:
                    connection.close()
            self._ended.wait(PAUSE)
        connection.close()

    def _outcome(self, connection: HTTPConnection, method: str, path: str, body: str) -> str:
        try:
            connection.request(method, path, body or None, self._headers)
            response = connection.getresponse()
            response.read()
            return str(response.status)
        except (OSError, HTTPException) as error:
            connection.close()
            return type(error).__name__

    def _once(self, method: str, path: str, body: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        connection = HTTPConnection(*self._address, timeout=PATIENCE)
        connection.request(method, path, body, headers or self._headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


def main() -> int:
    """Run the command under load and print the result; 0 if nothing failed."""
    url, *command = sys.argv[1:]
    load = Load(url)
    load.sign_in()
    started = time.monotonic()
    status = load.during(command)
    seconds, times = time.monotonic() - started, sorted(load.times)
    failed = {outcome: number for outcome, number in load.outcomes.items() if not outcome.endswith(" 200")}
    print(f"{len(times)} requests in {seconds:.0f} s, {sum(failed.values())} failed {failed or ''}".rstrip())
    median, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    slow = sum(seconds > SLOW for seconds in times)
    print(
        f"half within {median * 1000:.0f} ms, 99 % within {p99 * 1000:.0f} ms, all within {times[-1] * 1000:.0f} ms;"
        f" {slow} took over {SLOW:.0f} s"
    )
    return status or bool(failed)


if __name__ == "__main__":
    if len(sys.argv) < 3:  # noqa: PLR2004  # a URL and a command
        sys.exit("usage: deploy/under_load.py URL COMMAND [ARGUMENT …]")
    try:
        sys.exit(main())
    except (OSError, HTTPException, ValueError, KeyError) as error:
        sys.exit(f"under_load: the API is not reachable: {error!r}")
