"""A software authenticator: the other side of WebAuthn, with every part of a response open to forgery."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

ORIGIN, RP_ID = "http://localhost:8000", "localhost"
PRESENT, VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40
FLAGS = PRESENT | VERIFIED


def b64(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


@dataclass
class Authenticator:
    """One passkey on one device. ``count`` is its signature counter."""

    origin: str = ORIGIN
    rp_id: str = RP_ID
    flags: int = FLAGS
    count: int = 0
    cross_origin: bool = False
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    user_handle: str | None = None

    def create(self, options: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Answer ``navigator.credentials.create()``."""
        self.user_handle = options["user"]["id"]
        point = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)}
        attested = bytes(16) + len(self.id).to_bytes(2) + self.id + cbor2.dumps(cose)
        data = self._data(ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        response = {
            "clientDataJSON": b64(self._client_data("webauthn.create", options)),
            "attestationObject": b64(attestation),
            "transports": ["internal", "hybrid", "unheard-of", 7],
        }
        return self._credential(response | changes)

    def get(self, options: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Answer ``navigator.credentials.get()``."""
        client_data, data = self._client_data("webauthn.get", options), self._data()
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ECDSA(SHA256()))
        response = {
            "clientDataJSON": b64(client_data),
            "authenticatorData": b64(data),
            "signature": b64(signature),
            "userHandle": self.user_handle,
        }
        return self._credential(response | changes)

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        values = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(values | {"crossOrigin": self.cross_origin}).encode()

    def _data(self, flags: int = 0) -> bytes:
        self.count += 1 if self.count else 0
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([self.flags | flags]) + self.count.to_bytes(4)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        given = {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key"}
        return given | {"clientExtensionResults": {}, "response": response}


def user_id_in(options: dict[str, Any]) -> bytes:
    """Return the user handle of creation options."""
    return urlsafe_b64decode(options["user"]["id"] + "==")
