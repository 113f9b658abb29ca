"""Authorization server metadata (RFC 8414), with which libraries of OAuth 2.0 configure themselves."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from accounts.api.routes.sessions.jwks import PUBLIC_DOCUMENT
from accounts.models import Scope

router = APIRouter(prefix="/.well-known", tags=["oauth"])
CLIENT_AUTHENTICATION = ("client_secret_basic", "client_secret_post")  # RFC 6749, 2.3.1
Url = Annotated[str, Field(examples=["https://accounts.example.com/…"])]


class Metadata(BaseModel):
    """The endpoints of this service, and what they support (RFC 8414, 2)."""

    issuer: Annotated[str, Field(examples=["https://accounts.example.com"])]
    jwks_uri: Url
    token_endpoint: Url
    token_endpoint_auth_methods_supported: list[str] = [*CLIENT_AUTHENTICATION]
    revocation_endpoint: Url
    revocation_endpoint_auth_methods_supported: list[str] = ["none"]
    introspection_endpoint: Url
    introspection_endpoint_auth_methods_supported: list[str] = ["Bearer", "client_secret_basic"]
    response_types_supported: list[str] = []
    grant_types_supported: list[str] = ["client_credentials"]
    scopes_supported: list[str] = [*Scope]
    service_documentation: Url


@router.get("/oauth-authorization-server", summary="Get the metadata of OAuth 2.0")
@router.get(
    "/openid-configuration", summary="Get the metadata at OpenID Connect's address", name="openid_configuration"
)
async def oauth_metadata(request: Request, response: Response) -> Metadata:
    """Return the issuer, the endpoints and what they support, for libraries that configure themselves.

    There is no authorization endpoint, so this is no OpenID provider: users sign in at `/auth/jwt/login`.
    """
    response.headers.update(PUBLIC_DOCUMENT)
    issuer = request.state.settings.public_url
    return Metadata(
        issuer=issuer,
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        token_endpoint=f"{issuer}/oauth/token",
        revocation_endpoint=f"{issuer}/oauth/revoke",
        introspection_endpoint=f"{issuer}/oauth/introspect",
        service_documentation=f"{issuer}/docs",
    )
