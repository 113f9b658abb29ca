"""The metadata of an OpenID Connect provider (OpenID Connect Discovery 1.0, 3), validated."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PATH = "/.well-known/openid-configuration"
URL_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class Metadata:
    """What this service needs to know. ``client_authentication`` is the method for the token endpoint."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    client_authentication: str
    announces_iss: bool  # RFC 9207: the callback always has the parameter ``iss``


def metadata_url(issuer: str) -> str:
    """Return where the metadata of an issuer is."""
    return issuer.rstrip("/") + PATH


def parse_metadata(document: dict[str, Any], issuer: str) -> Metadata:
    """Validate metadata.

    Raises:
        ValueError: it is not usable, or that of another issuer. The text has nothing of the document.

    """
    if document.get("issuer") != issuer:
        raise ValueError("its metadata is that of another issuer")
    insecure = issuer.startswith("http://")
    userinfo = document.get("userinfo_endpoint")
    return Metadata(
        authorization_endpoint=_endpoint(document, "authorization_endpoint", insecure),
        token_endpoint=_endpoint(document, "token_endpoint", insecure),
        jwks_uri=_endpoint(document, "jwks_uri", insecure),
        userinfo_endpoint=None if userinfo is None else _endpoint(document, "userinfo_endpoint", insecure),
        client_authentication=_client_authentication(document),
        announces_iss=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(document: dict[str, Any], name: str, insecure: bool) -> str:  # noqa: FBT001  # of the issuer
    """Return a URL: of https, unless the issuer itself has none."""
    url = document.get(name)
    if not (isinstance(url, str) and url.isascii() and url.isprintable() and len(url) <= URL_LENGTH):
        raise ValueError(f"its metadata has no usable {name}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    schemes = {"https", "http"} if insecure else {"https"}
    if not host or parts.scheme not in schemes or "@" in parts.netloc or set(url) & set(" #\\<>\"'"):
        raise ValueError(f"its metadata has no usable {name}")
    return url


def _client_authentication(document: dict[str, Any]) -> str:
    """Return the method for clients with a secret, by default ``client_secret_basic``."""
    methods = document.get("token_endpoint_auth_methods_supported")
    if not isinstance(methods, list) or "client_secret_basic" in methods:
        return "client_secret_basic"
    return "client_secret_post" if "client_secret_post" in methods else ""
