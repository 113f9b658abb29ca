"""Answers of an issuer that is broken, or attacks."""

import gzip
import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from issuer import send


def status(code: int) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: send(handler, code, b'{"keys": []}')


def body(content: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: send(handler, 200, content, **headers)


def redirect(handler: BaseHTTPRequestHandler) -> None:
    send(handler, 302, b"", Location="/elsewhere")


def slow(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, so that no single read takes long."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b" ")
            time.sleep(0.01)
    except OSError:
        handler.close_connection = True


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        for _ in range(1000):
            handler.wfile.write(b" " * 65536)
    except OSError:
        pass
    else:
        raise AssertionError("64 MB were read")


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


HOSTILE = {
    "error": status(500),
    "not found": status(404),
    "another success": status(204),
    "redirect": redirect,
    "slow": slow,
    "endless": endless,
    "hung up": hang_up,
    "empty": body(b""),
    "text": body(b"<html>"),
    "not UTF-8": body(b'{"keys": ["\xff"]}'),
    "array": body(b"[]"),
    "nested": body(b'{"keys": ' + b"[" * 100_000),
    "huge number": body(b'{"keys": ' + b"9" * 100_000 + b"}"),
    "huge": body(json.dumps({"keys": [{"kid": "x" * 300_000}]}).encode()),
    "bomb": body(gzip.compress(b" " * 10**8), Content_Encoding="gzip"),
    "no keys": body(b"{}"),
    "keys of another type": body(b'{"keys": {"first": {}}}'),
    "null": body(b'{"keys": [null]}'),
}
