"""The issuer's public keys (RFC 7517): cached, fetched once for all callers, and used on while the issuer is away."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

import jwt

from accounts_client.errors import InvalidToken, IssuerUnavailable
from accounts_client.http import Document
from accounts_client.sharing import SharedCalls

LOG = logging.getLogger("accounts_client")
DEFAULT_AGE, LEAST_AGE, GREATEST_AGE = 300, 30, 3600  # seconds for which keys are fresh, if Cache-Control agrees
STALE_SECONDS = 24 * 3600  # and for which they are used after that, while the issuer is away
UNKNOWN_SECONDS = 30  # between two fetches for unknown keys, whatever callers send
RETRY_SECONDS = 5  # after a failure
PATIENCE = 1.0  # seconds that callers wait for fresh keys while they have a stale one
MAX_KEYS = 100
RSA_BITS = range(2048, 8193)
# The type of a key decides its algorithm, and which of its members are used: never a private one.
ALGORITHMS = {("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA", ("RSA", None): "RS256"}
MEMBERS = ("kty", "crv", "x", "y", "n", "e")


class KeySet:
    """The issuer's keys by id."""

    def __init__(self, fetch: Callable[[], Coroutine[Any, Any, Document]]) -> None:
        self._fetch = fetch
        self._calls = SharedCalls[None]()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._failure = "no keys were fetched yet"
        self._fresh_until = self._stale_until = self._retry_at = self._unknown_at = 0.0

    async def get(self, kid: str) -> jwt.PyJWK:
        """Return a key. Fetches the set if it is stale, or has no such key.

        Raises:
            InvalidToken: the issuer has no such key.
            IssuerUnavailable: it cannot be asked now.

        """
        now = monotonic()
        known = kid in self._keys and now < self._stale_until
        if not known or now >= self._fresh_until:
            task = self._calls.running("") or self._start_if_due(now)
            if task is not None:
                await asyncio.wait({task}, timeout=PATIENCE if known else None)
        if kid in self._keys and monotonic() < self._stale_until:
            return self._keys[kid]
        raise IssuerUnavailable(self._failure) if self._failure else InvalidToken("the issuer has no such key")

    def _start_if_due(self, now: float) -> asyncio.Task[None] | None:
        if now >= self._fresh_until:
            due = now >= self._retry_at
        else:
            due = now >= self._unknown_at
            self._unknown_at = now + UNKNOWN_SECONDS if due else self._unknown_at
        return self._calls.start("", self._refresh()) if due else None

    async def _refresh(self) -> None:
        try:
            document = await self._fetch()
            keys = parse(document.content)
        except IssuerUnavailable as error:
            self._failure, self._retry_at = str(error), monotonic() + RETRY_SECONDS
            LOG.warning("keys cannot be fetched: %s", error)
            return
        age = DEFAULT_AGE if document.max_age is None else min(max(document.max_age, LEAST_AGE), GREATEST_AGE)
        self._keys, self._failure = keys, ""
        self._fresh_until = monotonic() + age
        self._stale_until = self._fresh_until + STALE_SECONDS


def parse(document: dict[str, Any]) -> dict[str, jwt.PyJWK]:
    """Return the keys of a JSON Web Key Set that verify signatures. Others are ignored.

    Raises:
        IssuerUnavailable: there are none.

    """
    listed = document.get("keys")
    keys: dict[str, jwt.PyJWK] = {}
    for each in listed[:MAX_KEYS] if isinstance(listed, list) else []:
        kid = each.get("kid") if isinstance(each, dict) else None
        if isinstance(kid, str) and kid not in keys and (key := _key(each)):
            keys[kid] = key
    if not keys:
        raise IssuerUnavailable("the issuer publishes no key: it needs a SIGNING_KEY")
    return keys


def _key(entry: dict[str, Any]) -> jwt.PyJWK | None:
    kty, crv = entry.get("kty"), entry.get("crv")
    algorithm = ALGORITHMS.get((kty, crv)) if isinstance(kty, str) and isinstance(crv, str | None) else None
    if algorithm is None or entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK({name: entry[name] for name in MEMBERS if name in entry}, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return key if algorithm != "RS256" or key.key.key_size in RSA_BITS else None
