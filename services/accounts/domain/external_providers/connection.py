"""Requests to one provider. Whatever it answers, the caller gets a JSON object, or ProviderUnavailable."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, NoReturn

from accounts.domain import errors
from accounts.domain.http_client import HttpClient

SECONDS = 6.5  # a request of ours has eight
JSON = {"Accept": "application/json"}
# RFC 6749, 5.2. Of an answer nothing else is logged.
TOKEN_ERRORS = {
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope",
}  # fmt: skip
log = logging.getLogger("accounts")

Json = dict[str, Any]


class Connection:
    """Requests to the provider ``name``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._client = HttpClient()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def get(self, url: str, headers: Mapping[str, str] = JSON) -> Any:
        """Return the JSON at ``url``.

        Raises:
            ProviderUnavailable: there is none.

        """
        status, body = await self._fetch(url, headers)
        if status != HTTPStatus.OK:
            self.unavailable(f"it answered with status {status}")
        return self._parse(body)

    async def get_object(self, url: str, headers: Mapping[str, str] = JSON) -> Json:
        """Return the JSON object at ``url``. Raises ProviderUnavailable."""
        return self._object(await self.get(url, headers))

    async def token(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Json:
        """Return the answer of a token endpoint.

        Raises:
            ProviderUnavailable: the provider accepts no requests of this service.
            ProviderRefused: it does not accept the code.

        """
        status, body = await self._fetch(url, {**JSON, **headers}, form)
        if status not in {HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
            self.unavailable(f"its token endpoint answered with status {status}")
        answer = self._object(self._parse(body))
        error = str(answer.get("error", ""))
        if error in {"invalid_grant", "bad_verification_code"}:  # the second is GitHub's
            self.refused("it does not accept the code")
        if status != HTTPStatus.OK or error:
            self.unavailable(f"its token endpoint answered with {error if error in TOKEN_ERRORS else 'an error'}")
        return answer

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Bound the time of all requests in the block together.

        Raises:
            ProviderUnavailable: they take too long.

        """
        try:
            async with asyncio.timeout(SECONDS):
                yield
        except TimeoutError:
            self.unavailable("it takes too long")

    def unavailable(self, reason: str) -> NoReturn:
        """Log why the provider is of no use now, without anything that it sent, and raise ProviderUnavailable."""
        log.warning("sign-in with %s is not available: %s", self.name, reason)
        raise errors.ProviderUnavailable

    def refused(self, reason: str) -> NoReturn:
        """Log why a user is not signed in, without anything that the provider sent, and raise ProviderRefused."""
        log.warning("sign-in with %s is refused: %s", self.name, reason)
        raise errors.ProviderRefused

    async def _fetch(
        self, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        try:
            return await self._client.fetch(url, headers=headers, form=form)
        except OSError as error:  # TimeoutError is one
            self.unavailable(str(error) or type(error).__name__)

    def _parse(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            self.unavailable("its answer is no JSON")

    def _object(self, answer: Any) -> Json:
        if not isinstance(answer, dict):
            self.unavailable("its answer is no JSON object")
        return answer
