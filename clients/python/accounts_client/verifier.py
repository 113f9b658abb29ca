"""Verifies access tokens of the accounts service (RFC 9068)."""

from time import time
from typing import NamedTuple

import jwt

from accounts_client.errors import GroupsUnknown, InvalidToken
from accounts_client.http import Document, IssuerHttp
from accounts_client.introspection import Credentials, Introspection
from accounts_client.keys import KeySet
from accounts_client.metadata import Metadata
from accounts_client.sharing import Recent
from accounts_client.tokens import AccessToken, Role, access_token

MAX_TOKEN = 8 * 1024  # characters, several times as many as with fifty groups
CACHED_TOKENS = 1024  # clients send a token many times, and verifying it takes far longer than a look-up
TYPES = ("at+jwt", "application/at+jwt")  # RFC 9068, 4
CLAIMS = ["iss", "aud", "sub", "client_id", "sid", "iat", "exp"]


class Verified(NamedTuple):
    """A token with the key that verified it: without that key it is worth nothing."""

    token: AccessToken
    key: jwt.PyJWK
    kid: str


class Verifier:
    """Verifies access tokens with the keys that the issuer publishes.

    Args:
        issuer: ``PUBLIC_URL`` of the accounts service.
        credentials: to introspect: the id and secret of a service account, or a personal access token.
        jwks_uri: where the keys are, if this service reaches the issuer at another address than others do.
        introspection_uri: the same for introspection.
        live_seconds: for how long an answer about a live session is used again; 0 asks the issuer each time.
        leeway: seconds by which the clocks may differ.

    """

    def __init__(
        self,
        issuer: str,
        audience: str = "accounts",
        *,
        credentials: Credentials | None = None,
        jwks_uri: str = "",
        introspection_uri: str = "",
        live_seconds: float = 5,
        leeway: float = 30,
    ) -> None:
        self.issuer = issuer.rstrip("/")
        self._audience = audience
        self._jwks_uri, self._introspection_uri = jwks_uri, introspection_uri
        self._leeway = leeway
        self._http = IssuerHttp()
        self._metadata = Metadata(self._http, self.issuer)
        self._keys = KeySet(self._fetch_keys)
        self._verified = Recent[Verified](CACHED_TOKENS)
        self._introspection = (
            Introspection(self._http, self._introspection_endpoint, credentials, live_seconds) if credentials else None
        )

    async def verify(self, token: str) -> AccessToken:
        """Verify an access token. It may be of a session that has ended since it was issued.

        Raises:
            InvalidToken: it is malformed, expired, of another issuer or audience, or no access token.
            IssuerUnavailable: the issuer's keys cannot be fetched.

        """
        found = self._verified.get(token)
        kid = found.kid if found else _kid(token)
        key = await self._keys.get(kid)
        if found is None or found.key is not key:
            found = Verified(self._decode(token, key), key, kid)
            self._verified.put(token, found)
        if found.token.expires_at.timestamp() + self._leeway <= time():
            raise InvalidToken("Signature has expired")
        return found.token

    async def ensure_live(self, token: AccessToken) -> None:
        """Ask the issuer whether the token's session has ended.

        Raises:
            InvalidToken: it has, or its user was deactivated.
            IssuerUnavailable: the issuer cannot be asked.

        """
        await self._introspect(token, None)

    async def role(self, token: AccessToken, group_id: int, *, live: bool = False) -> Role | None:
        """Return the user's role in a group: what the token says, or with ``live`` what the issuer says now.

        The issuer is also asked if the token does not have the claim ``groups``.

        Raises:
            GroupsUnknown: it does not, and there are no credentials to ask the issuer.
            InvalidToken, IssuerUnavailable: as `ensure_live`, if the issuer is asked.

        """
        if token.groups is not None and not live:
            return token.groups.get(group_id)
        if self._introspection is None and not live:
            raise GroupsUnknown("the token has no claim groups")
        return await self._introspect(token, group_id)

    async def close(self) -> None:
        """Close the connections to the issuer."""
        await self._http.close()

    async def _introspect(self, token: AccessToken, group_id: int | None) -> Role | None:
        if self._introspection is None:
            raise ValueError("to introspect tokens, a Verifier needs credentials")
        return await self._introspection.role(token, group_id)

    async def _fetch_keys(self) -> Document:
        uri = self._jwks_uri or await self._metadata.endpoint("jwks_uri")
        # Caches on the way may have the keys of before a rotation.
        return await self._http.fetch("GET", uri, headers={"Cache-Control": "no-cache"})

    async def _introspection_endpoint(self) -> str:
        return self._introspection_uri or await self._metadata.endpoint("introspection_endpoint")

    def _decode(self, token: str, key: jwt.PyJWK) -> AccessToken:
        try:
            decoded = jwt.decode_complete(
                token,
                key,
                [key.algorithm_name],
                {"require": CLAIMS},
                audience=self._audience,
                issuer=self.issuer,
                leeway=self._leeway,
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise InvalidToken(str(error)) from error
        if str(decoded["header"].get("typ")).lower() not in TYPES:  # an ID token, say
            raise InvalidToken("no access token")
        return access_token(token, decoded["payload"])


def _kid(token: str) -> str:
    """Return the id of the key that a token says it is signed with."""
    if len(token) > MAX_TOKEN:
        raise InvalidToken("too long")
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, ValueError) as error:
        raise InvalidToken(str(error)) from error
    if not isinstance(kid, str):
        raise InvalidToken("names no key")
    return kid
