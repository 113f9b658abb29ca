"""How well a user was authenticated: by which methods, and at which assurance level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from accounts.models import Method, UserSession


@dataclass(frozen=True, slots=True)
class Assurance:
    """The methods of an authentication (RFC 8176), and its authenticator assurance level (NIST SP 800-63B).

    Level 2 takes two factors: a password and a code of an authenticator app, for example, or a passkey whose device
    verified the user.
    """

    methods: tuple[Method, ...]
    level: int = 1

    def plus(self, *methods: Method) -> Self:
        """Return the assurance after another factor, which raises the level to 2."""
        return type(self)(tuple(dict.fromkeys((*self.methods, *methods, Method.MULTIPLE))), 2)


BY_PASSWORD = Assurance((Method.PASSWORD,))


def acr(level: int) -> str:
    """Return an assurance level as the claim ``acr`` (RFC 9068, 2.2.1)."""
    return f"aal{level}"


def assurance_of(session: UserSession) -> Assurance:
    """Return how the user of a session was authenticated."""
    return stored_assurance(session.aal, session.methods)


def stored_assurance(level: int, methods: Sequence[str]) -> Assurance:
    """Return the assurance of a person's session by what is stored."""
    return Assurance(tuple(map(Method, methods)), level) if methods else BY_PASSWORD  # of an earlier release
