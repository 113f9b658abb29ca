"""What an access token says (RFC 9068)."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

from accounts_client.errors import InvalidToken

Role = Literal["member", "admin", "owner"]
RANKS: dict[object, int] = {"member": 1, "admin": 2, "owner": 3}
EVERYTHING = "account"  # the scope of people's own sign-ins
LEVELS: dict[object, int] = {"aal1": 1, "aal2": 2}


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A verified access token.

    Attributes:
        user_id: the user, or the service account.
        client_id: ``accounts`` for people, the service account's id for service accounts.
        groups: the user's role by group id; None if the token does not have the claim, as without the scope ``groups``.
        auth_time: when the user was authenticated, the last time; people only, as ``amr``.
        acr: the assurance level of the session, ``aal1`` or ``aal2``; ``level`` is its number.
        raw: the token as it was sent. It is a secret.

    """

    user_id: uuid.UUID
    client_id: str
    session_id: uuid.UUID
    scopes: frozenset[str]
    groups: Mapping[int, Role] | None
    auth_time: datetime | None
    acr: str | None
    amr: tuple[str, ...]
    expires_at: datetime
    raw: str = field(repr=False)

    @property
    def level(self) -> int:
        """The assurance level: 2 if the session has a second factor, else 1."""
        return LEVELS.get(self.acr, 1)

    def has_scope(self, scope: str) -> bool:
        """Return whether a scope was granted. ``account`` implies all others."""
        return scope in self.scopes or EVERYTHING in self.scopes


def has_role(role: object, least: Role) -> bool:
    """Return whether a role is ``least`` or a higher one: member < admin < owner."""
    return RANKS.get(role, 0) >= RANKS[least]


def access_token(raw: str, claims: dict[str, Any]) -> AccessToken:
    """Return an access token with these claims, whose signature and time were verified.

    Raises:
        InvalidToken: a claim has another type than RFC 9068 says.

    """
    try:
        return AccessToken(
            user_id=uuid.UUID(claims["sub"]),
            client_id=_text(claims["client_id"]),
            session_id=uuid.UUID(claims["sid"]),
            scopes=frozenset(_text(claims.get("scope", "")).split()),
            groups=_groups(claims["groups"]) if "groups" in claims else None,
            auth_time=_time(claims["auth_time"]) if "auth_time" in claims else None,
            acr=_text(claims["acr"]) if "acr" in claims else None,
            amr=tuple(map(_text, claims.get("amr", ()))),
            expires_at=_time(claims["exp"]),
            raw=raw,
        )
    except (TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
        raise InvalidToken(f"a claim is malformed: {error}") from error


def _groups(claim: dict[str, Any]) -> Mapping[int, Role]:
    """Ignore roles of later versions, which grant nothing here."""
    return MappingProxyType({int(group): role for group, role in claim.items() if RANKS.get(_text(role))})


def _text(claim: object) -> str:
    if not isinstance(claim, str):
        raise TypeError(f"{type(claim).__name__} for a text")
    return claim


def _time(claim: float) -> datetime:
    return datetime.fromtimestamp(claim, UTC)
