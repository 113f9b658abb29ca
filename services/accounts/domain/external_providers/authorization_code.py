"""The authorization code flow with PKCE (RFC 6749, 4.1, and RFC 7636): what is sent to a provider, of either kind."""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from accounts.domain.external_providers.provider import AuthorizationRequest

TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


def authorization_url(
    endpoint: str, client_id: str, request: AuthorizationRequest, redirect_uri: str, scopes: tuple[str, ...],
    **parameters: str,
) -> str:  # fmt: skip
    """Return the URL to send the user to (RFC 6749, 4.1.1, with PKCE: RFC 7636, 4.3)."""
    challenge = urlsafe_b64encode(hashlib.sha256(request.verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(scopes),
        "state": request.state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **parameters,
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def token_form(request: AuthorizationRequest, redirect_uri: str, code: str) -> dict[str, str]:
    """Return the form for the token endpoint (RFC 6749, 4.1.3), without client authentication."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": request.verifier,
    }


def bearer(tokens: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the header for the access token of an answer (RFC 6750, 2.1); None if there is none."""
    token, kind = tokens.get("access_token"), tokens.get("token_type")
    if not (isinstance(token, str) and TOKEN.fullmatch(token) and str(kind).lower() == "bearer"):
        return None
    return {"Authorization": f"Bearer {token}"}
