"""Asks the API without a pause, reading and writing, while the command runs that the command line names.

Prints how many requests there were, which failed, and how long they took; ends with status 1 if one failed. Runs on
whatever ``python3`` a machine has (3.9 or later).
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from urllib.parse import urlencode

from environment import address, effective

CLIENTS = 8
PATIENCE = 30.0
SLOW = 1.0  # seconds after which a request is counted as slow
AFTER = 3.0  # seconds that the requests go on when the command has ended


class Load:
    """Clients that ask by turns, and what they were answered."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._headers = {"Content-Type": "application/json"}
        self._ended = Event()
        self.answers: Counter[str] = Counter()
        self.times: list[float] = []

    def sign_in(self) -> None:
        """As somebody new, whom the requests are about."""
        email, password = f"load-{secrets.token_hex(8)}@example.com", secrets.token_urlsafe(24)
        self._once("POST", "/auth/register", json.dumps({"email": email, "password": password}))
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        _, text = self._once("POST", "/auth/jwt/login", urlencode({"username": email, "password": password}), form)
        self._headers["Authorization"] = f"Bearer {json.loads(text)['access_token']}"

    def during(self, command: list[str]) -> int:
        """The status with which the command ends."""
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
        """Half of them keep their connection, as browsers do, and half make one for each request, as scripts do."""
        connection = HTTPConnection(*self._address, timeout=PATIENCE)
        while not self._ended.is_set():
            for method, path, body in (("GET", "/users/me", ""), ("PATCH", "/users/me", '{"display_name": "Load"}')):
                begun = time.perf_counter()
                self.answers[f"{method} {self._outcome(connection, method, path, body)}"] += 1
                self.times.append(time.perf_counter() - begun)
                if number % 2:
                    connection.close()
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
    """Print what happened; 0 if nothing failed."""
    load = Load(*address(effective()))
    load.sign_in()
    begun = time.monotonic()
    status = load.during(sys.argv[1:])
    seconds, times = time.monotonic() - begun, sorted(load.times)
    failed = {answer: count for answer, count in load.answers.items() if not answer.endswith(" 200")}
    print(f"{len(times)} requests in {seconds:.0f} s, {sum(failed.values())} failed {failed or ''}".rstrip())
    middle, most = times[len(times) // 2], times[int(len(times) * 0.99)]
    slow = sum(each > SLOW for each in times)
    print(
        f"half within {middle * 1000:.0f} ms, 99 % within {most * 1000:.0f} ms, all within {times[-1] * 1000:.0f} ms;"
        f" {slow} took over {SLOW:.0f} s"
    )
    return status or bool(failed)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit("usage: deploy/under_load.py COMMAND [ARGUMENT …]")
    try:
        sys.exit(main())
    except (OSError, HTTPException, ValueError, KeyError) as error:
        sys.exit(f"under_load: the API cannot be asked: {error!r}")
