"""Introspection (RFC 7662): asks the issuer whether a token is live, and which role its user has in a group."""

import asyncio
import hashlib
import logging
from base64 import b64encode
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import NamedTuple
from urllib.parse import quote_plus

from accounts_client.errors import InvalidToken, IssuerUnavailable
from accounts_client.http import IssuerHttp
from accounts_client.sharing import Recent, SharedCalls
from accounts_client.tokens import RANKS, AccessToken, Role

LOG = logging.getLogger("accounts_client")
Credentials = str | tuple[str, str]
MAX_CACHED = 4096


class Answer(NamedTuple):
    """What the issuer says about a token, until ``expires`` on the monotonic clock."""

    active: bool
    role: Role | None
    expires: float


class Introspection:
    """Asks the issuer about tokens, with credentials of this service's own.

    Args:
        credentials: the id and secret of a service account, or a personal access token, with the scope ``introspect``.
        max_age: for how many seconds an answer is used again, if Cache-Control allows it.

    """

    def __init__(
        self, http: IssuerHttp, endpoint: Callable[[], Awaitable[str]], credentials: Credentials, max_age: float
    ) -> None:
        self._http = http
        self._endpoint = endpoint
        self._max_age = max_age
        self._authorization = _authorization(credentials)
        self._calls = SharedCalls[Answer]()
        self._answers = Recent[Answer](MAX_CACHED)

    async def role(self, token: AccessToken, group: int | None = None) -> Role | None:
        """Return the user's role in ``group``; None if there is none, or no group was asked for.

        Raises:
            InvalidToken: the token is not live: its session has ended, or its user was deactivated.
            IssuerUnavailable: the issuer cannot be asked.

        """
        key = (hashlib.sha256(token.raw.encode()).digest(), group)
        answer = self._answers.get(key)
        if answer is None or answer.expires <= monotonic():
            task = self._calls.running(key) or self._calls.start(key, self._ask(token, group))
            answer = await asyncio.shield(task)
            self._answers.put(key, answer)
        if not answer.active:
            raise InvalidToken("the session has ended")
        return answer.role

    async def _ask(self, token: AccessToken, group: int | None) -> Answer:
        form = {"token": token.raw, "token_type_hint": "access_token"} | (
            {} if group is None else {"group": str(group)}
        )
        headers = {"Authorization": self._authorization}
        try:
            content, max_age = await self._http.fetch("POST", await self._endpoint(), data=form, headers=headers)
        except IssuerUnavailable as error:
            LOG.warning("a token cannot be introspected: %s", error)
            raise
        active, role = content.get("active"), content.get("group_role")
        if not isinstance(active, bool) or (active and content.get("sub") != str(token.user_id)):
            raise IssuerUnavailable("the introspection endpoint answers for another token")
        known = role if isinstance(role, str) and role in RANKS else None
        return Answer(active, known, monotonic() + min(max_age or 0, self._max_age))  # type: ignore[arg-type]


def _authorization(credentials: Credentials) -> str:
    if isinstance(credentials, str):
        return f"Bearer {credentials}"
    pair = ":".join(quote_plus(part) for part in credentials)  # RFC 6749, 2.3.1
    return f"Basic {b64encode(pair.encode()).decode()}"
