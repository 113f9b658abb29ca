"""Holds idle connections to the API, as a hostile client would: hold_connections.py HOST PORT NUMBER SECONDS.

A quarter of them sends nothing, a quarter half a head, and the others send one request and keep the connection.
What the server closes is opened again. Prints how many the server kept open; exits with status 1 if it kept all of
them, because then nothing limits this client. Needs only Python 3.9.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time

REQUEST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
SENT = (b"", REQUEST[:-2], REQUEST, REQUEST)
KEPT = 2.0  # seconds after which a connection counts as kept: a refused one is accepted first
PAUSE = 5.0  # seconds after which a refused connection is tried again; one that was kept is opened again at once


class Client:
    """A client that holds connections, and how many it has."""

    def __init__(self, host: str, port: int, wanted: int) -> None:
        self._address = (host, port)
        self._wanted = wanted
        self._opened: dict[int, float] = {}
        self.closed = 0

    async def hold(self, number: int) -> None:
        """Keep one connection open, and open it again when the server has closed it."""
        await asyncio.sleep(PAUSE * number / self._wanted)
        while True:
            begun = time.monotonic()
            try:
                reader, writer = await asyncio.open_connection(*self._address)
                self._opened[number] = begun = time.monotonic()
                writer.write(SENT[number % len(SENT)])
                while await reader.read(65536):
                    pass
                writer.close()
            except OSError:
                pass
            self.closed += 1
            self._opened.pop(number, None)
            if time.monotonic() - begun < KEPT:
                await asyncio.sleep(PAUSE)

    def kept(self) -> int:
        """Count the connections that the server has not closed at once."""
        settled = time.monotonic() - KEPT
        return sum(opened < settled for opened in self._opened.values())


async def attack(host: str, port: int, number: int, seconds: float) -> int:
    """Hold connections for some seconds, and return how many were kept at most."""
    client = Client(host, port, number)
    tasks = [asyncio.ensure_future(client.hold(each)) for each in range(number)]
    most, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(0.5)
        most = max(most, client.kept())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(f"{number} idle connections wanted, {most} kept at most, {client.closed} refused or closed by the server")
    return most


def main() -> int:
    """Attack as the arguments say; 0 if the server refused connections, and accepted some."""
    host, port, number, seconds = sys.argv[1], *map(int, sys.argv[2:])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = asyncio.run(attack(host, port, number, seconds))
    return 0 if 0 < most < number else 1


if __name__ == "__main__":
    if len(sys.argv) != 5 or not all(map(str.isdecimal, sys.argv[2:])):  # noqa: PLR2004  # host, and numbers
        sys.exit("usage: deploy/hold_connections.py HOST PORT NUMBER SECONDS")
    sys.exit(main())
