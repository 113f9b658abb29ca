"""A small issuer over HTTP, which signs as the accounts service does and fails as tests want."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

JWKS, METADATA, INTROSPECT = "/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/oauth/introspect"
Answer = Callable[[BaseHTTPRequestHandler], None]


def jwk(private: Any, kid: str, algorithm: str = "ES256") -> dict[str, Any]:
    """Return the public key as an entry of a JSON Web Key Set."""
    entry: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(private.public_key(), as_dict=True)
    return entry | {"kid": kid, "alg": algorithm, "use": "sig"}


def pem(private: Any) -> bytes:
    """Return the public key as text, which forgers use as a symmetric key."""
    encoded: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded


class Issuer:
    """Its URL, its keys, the sessions that have ended, and what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys = {"first": generate_private_key(SECP256R1())}
        self.asked: Counter[str] = Counter()
        self.forms: list[dict[str, str]] = []
        self.credentials: list[str | None] = []
        self.ended: set[str] = set()
        self.roles: dict[str, str] = {}
        self.max_age = 5
        self.answers: dict[str, Answer] = {}  # in place of the usual ones
        self.entries: list[Any] | None = None  # in place of the usual key set

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a person's access token; None removes one."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": "accounts",
            "sub": str(uuid.uuid4()),
            "client_id": "accounts",
            "sid": str(uuid.uuid4()),
            "jti": uuid.uuid4().hex,
            "iat": now,
            "exp": now + 900,
            "auth_time": now,
            "acr": "aal1",
            "amr": ["pwd"],
            "scope": "account",
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, kid: str = "first", *, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Sign an access token."""
        headers = {"typ": "at+jwt", "kid": kid} | (header or {})
        return jwt.encode(self.claims(**changes), self.keys[kid], "ES256", headers)

    def document(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        """Return what it answers to a request."""
        if path == METADATA:
            return {"issuer": self.url, "jwks_uri": self.url + JWKS, "introspection_endpoint": self.url + INTROSPECT}
        if path == JWKS:
            return {"keys": self.entries or [jwk(key, kid) for kid, key in self.keys.items()]}
        claims = jwt.decode(form["token"], options={"verify_signature": False})
        if claims["sid"] in self.ended:
            return {"active": False}
        role = {"group_role": self.roles.get(form["group"])} if "group" in form else {}
        return {"active": True, **claims, **role}


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    """Send a response."""
    handler.send_response(status)
    for name, value in {"Content_Type": "application/json", "Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Serves each connection by a thread of its own."""

    daemon_threads = True
    request_queue_size = 128  # of connections at once; more than five would be reset by default

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up."""


@contextmanager
def serve() -> Iterator[Issuer]:
    """Serve an issuer on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            issuer.asked[self.path] += 1
            if self.path in issuer.answers:
                return issuer.answers[self.path](self)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            if form:
                issuer.forms.append(form)
                issuer.credentials.append(self.headers.get("Authorization"))
            document = issuer.document(self.path, form)
            age = "no-store" if document == {"active": False} else f"max-age={issuer.max_age if form else 300}"
            return send(self, 200, json.dumps(document).encode(), Cache_Control=age)

        do_POST = do_GET  # noqa: N815  # the base class's name

        def log_message(self, format: str, *arguments: Any) -> None:  # the base class's name
            """Stay silent."""

    with Server(("127.0.0.1", 0), Handler) as server:
        issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()


class Clock:
    """The monotonic clock of the keys, which tests advance."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.seconds
