"""Authentication of OAuth 2.0 clients: ``client_secret_basic`` and ``client_secret_post`` (RFC 6749, 2.3.1)."""

from base64 import b64decode
from typing import Annotated, override
from urllib.parse import unquote_plus

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBasic
from fastapi.security.utils import get_authorization_scheme_param

from accounts.domain.errors import InvalidClient

CHALLENGE = {"WWW-Authenticate": 'Basic realm="accounts"'}  # RFC 7617, 2
Credentials = tuple[str, str]


class ClientSecretBasic(HTTPBasic):
    """The client's id and secret in the Authorization header, form-encoded, or None without that header."""

    @override
    async def __call__(self, request: Request) -> Credentials | None:  # type: ignore[override]
        """Parse the header.

        Raises:
            InvalidClient: it has another scheme, or is malformed.

        """
        header = request.headers.get("authorization")
        return None if header is None else parse_basic(header)


def parse_basic(header: str) -> Credentials:
    """Parse the Authorization header of a client.

    Raises:
        InvalidClient: it has another scheme, or is malformed.

    """
    scheme, encoded = get_authorization_scheme_param(header)
    try:
        client_id, separator, secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        raise InvalidClient from None
    if scheme.lower() != "basic" or not separator:
        raise InvalidClient
    return unquote_plus(client_id), unquote_plus(secret)


BasicCredentials = Annotated[Credentials | None, Depends(ClientSecretBasic(scheme_name="ClientSecret"))]


def choose_credentials(basic: Credentials | None, client_id: str | None, client_secret: str | None) -> Credentials:
    """Return the client's id and secret, from the header or else from the form.

    Raises:
        InvalidClient: neither has both, or they name two clients.
        RequestValidationError: both have a secret, which no client may send (RFC 6749, 2.3).

    """
    if basic and client_secret is not None:
        message = "Secret is sent in the header, too"
        raise RequestValidationError([{"type": "repeated", "loc": ("body", "client_secret"), "msg": message}])
    if basic and client_id in {None, basic[0]}:
        return basic
    if basic or client_id is None or client_secret is None:
        raise InvalidClient
    return client_id, client_secret
