"""Public keys, with which other services verify access tokens."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

router = APIRouter(prefix="/.well-known", tags=["keys"])
# The metadata and the keys are for everyone, and pages of any origin may read them.
PUBLIC_DOCUMENT = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}


class PublicKey(BaseModel):
    """A JSON Web Key (RFC 7517). Further members depend on its type."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"kty": "OKP", "kid": "…", "alg": "EdDSA", "use": "sig", "crv": "Ed25519", "x": "…"}]
        },
    )

    kty: str
    kid: str
    alg: str
    use: str


class KeySet(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[PublicKey]


@router.get("/jwks.json", summary="Get the public keys")
async def jwks(request: Request, response: Response) -> KeySet:
    """Return the JSON Web Key Set that verifies access tokens. It is empty while `SECRET_KEY` signs them.

    A service that verifies tokens itself accepts them until they expire: only this API knows of ended sessions.
    """
    response.headers.update(PUBLIC_DOCUMENT)
    return KeySet(**request.state.keys.jwks())
