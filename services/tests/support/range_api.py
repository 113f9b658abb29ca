"""A real server of the range API of Have I Been Pwned, on loopback, which may answer anything."""

import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import NamedTuple, override

PADDING = 20
Write = Callable[[bytes], object]
Answer = Callable[[Write], object]


class Request(NamedTuple):
    path: str
    headers: dict[str, str]


def sha1(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


@dataclass
class RangeServer:
    """A server that knows leaked passwords. ``answer``, if it is set, writes other responses."""

    url: str
    leaked: dict[str, int] = field(default_factory=dict)
    answer: Answer | None = None
    requests: list[Request] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def leak(self, password: str, count: int = 3) -> None:
        self.leaked[sha1(password)] = count

    def respond(self, path: str, write: Write) -> None:
        if self.answer:
            self.answer(write)
            return
        prefix = path.rpartition("/")[2]
        found = [f"{each[5:]}:{count}" for each, count in self.leaked.items() if each.startswith(prefix)]
        padding = [f"{sha1(f'{prefix} {number}')[5:]}:0" for number in range(PADDING)]
        write(response("\r\n".join(sorted(found + padding)).encode()))


def response(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def range_server(tls: ssl.SSLContext | None = None) -> Iterator[RangeServer]:
    """Run a server until the block ends."""

    class Handler(StreamRequestHandler):
        @override
        def handle(self) -> None:
            path = self.rfile.readline().decode().split()[1]
            lines = iter(lambda: self.rfile.readline().decode().strip(), "")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            server.requests.append(Request(path, headers))
            with suppress(OSError):  # the client may have gone
                server.respond(path, self.wfile.write)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        if tls:
            listening.socket = tls.wrap_socket(listening.socket, server_side=True)
        server = RangeServer(f"{'https' if tls else 'http'}://127.0.0.1:{listening.server_address[1]}")
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            listening.shutdown()
            thread.join()
