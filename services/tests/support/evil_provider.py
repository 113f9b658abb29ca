"""An OpenID Connect provider on loopback, which is a good one until a test has it answer something else."""

import hashlib
import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from socketserver import StreamRequestHandler, ThreadingTCPServer
from time import time
from typing import Any, NamedTuple, override
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

SUBJECT = "24400320"
Json = dict[str, Any]
Write = Callable[[bytes], object]
Raw = Callable[[Write], object]


class Call(NamedTuple):
    path: str
    headers: dict[str, str]
    form: dict[str, str]


@cache
def private_key(algorithm: str, number: int = 0) -> Any:
    """Return a key for an algorithm; another one for another number."""
    del number
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def public_jwk(key: Any, **members: Any) -> Json:
    if isinstance(key, rsa.RSAPrivateKey):
        public: Json = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: value for name, value in public.items() if name != "key_ops"} | members


@dataclass
class EvilProvider:
    """``answers`` replaces the answers at paths; ``change`` changes the claims; ``sign`` makes the token of them."""

    issuer: str
    key: Any = field(default_factory=lambda: private_key("ES256"))
    algorithm: str = "ES256"
    kid: str = "1"
    client_id: str = "accounts"
    metadata: Json = field(default_factory=dict)
    keys: list[Any] = field(default_factory=list)
    claims: Json = field(default_factory=lambda: {"email": "lancelot@example.com", "email_verified": True})
    tokens: Json = field(default_factory=dict)
    userinfo: Json = field(default_factory=dict)
    change: Callable[[Json], Json] = lambda claims: claims
    sign: Callable[[Json], str] | None = None
    answers: dict[str, Raw] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)
    stopped: threading.Event = field(default_factory=threading.Event)

    def authorize(self, url: str) -> dict[str, str]:
        """Sign a user in at the authorization endpoint, and return the parameters of the callback."""
        query = dict(parse_qsl(urlsplit(url).query))
        code = f"code-{next(self.numbers)}"
        self.codes[code] = query
        return {"code": code, "state": query["state"], "iss": self.issuer}

    def paths(self) -> list[str]:
        return [call.path for call in self.calls]

    def publish(self, *keys: Any) -> None:
        self.keys = list(keys)

    def rotate(self, kid: str) -> None:
        self.kid, self.key = kid, private_key(self.algorithm, int(kid))
        self.publish(public_jwk(self.key, kid=kid, use="sig"))

    def token(self, claims: Json) -> str:
        """Sign claims of any type."""
        return jwt.api_jws.encode(json.dumps(claims).encode(), self.key, self.algorithm, {"kid": self.kid})

    def respond(self, call: Call) -> Json | tuple[int, Json]:
        match call.path:
            case "/.well-known/openid-configuration":
                return self._metadata() | self.metadata
            case "/jwks":
                return {"keys": self.keys}
            case "/userinfo":
                return {"sub": SUBJECT} | self.userinfo
            case "/token":
                return self._tokens(call.form)
        return 404, {}

    def _metadata(self) -> Json:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "userinfo_endpoint": "userinfo"}
        endpoints = {name: f"{self.issuer}/{path}" for name, path in (names | {"jwks_uri": "jwks"}).items()}
        return {"issuer": self.issuer} | endpoints

    def _tokens(self, form: dict[str, str]) -> Json | tuple[int, Json]:
        query = self.codes.pop(form.get("code", ""), None)
        challenge = urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if query is None or (challenge, form["redirect_uri"]) != (query["code_challenge"], query["redirect_uri"]):
            return 400, {"error": "invalid_grant"}
        now = int(time())
        times = {"iat": now, "exp": now + 300, "auth_time": now}
        who = {"iss": self.issuer, "sub": SUBJECT, "aud": self.client_id, "nonce": query["nonce"]}
        id_token = (self.sign or self.token)(self.change(who | times | self.claims))
        return {"id_token": id_token, "access_token": "access", "token_type": "Bearer"} | self.tokens


def response(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def answer(document: Any, status: str = "200 OK", *headers: str) -> Raw:
    return lambda write: write(response(json.dumps(document).encode(), status, *headers))


@contextmanager
def evil_provider() -> Iterator[EvilProvider]:
    """Run a provider until the block ends."""

    class Handler(StreamRequestHandler):
        @override
        def handle(self) -> None:
            request_line = self.rfile.readline().decode().split()
            if not request_line:  # the client has gone
                return
            path = request_line[1]
            lines = iter(lambda: self.rfile.readline().decode().strip(), "")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = self.rfile.read(int(headers.get("content-length", 0))).decode()
            call = Call(path, headers, {name: values[0] for name, values in parse_qs(body).items()})
            provider.calls.append(call)
            with suppress(OSError):  # the client may have gone
                (provider.answers.get(path) or self._honest(call))(self.wfile.write)

        @staticmethod
        def _honest(call: Call) -> Raw:
            found = provider.respond(call)
            status, document = found if isinstance(found, tuple) else (200, found)
            return answer(document, f"{status} -")

    class Server(ThreadingTCPServer):
        request_queue_size = 50

    with Server(("127.0.0.1", 0), Handler) as listening:
        provider = EvilProvider(f"http://127.0.0.1:{listening.server_address[1]}")
        provider.publish(public_jwk(provider.key, kid="1", use="sig"))
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield provider
        finally:
            provider.stopped.set()
            listening.shutdown()
            thread.join()
