"""The keys by which other services can verify access tokens themselves."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

router = APIRouter(prefix="/.well-known", tags=["keys"])


class PublicKey(BaseModel):
    """A JSON Web Key (RFC 7517); what it has besides depends on its type."""

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


@router.get("/jwks.json", summary="The public keys")
async def jwks(request: Request) -> KeySet:
    """The keys that verify access tokens; none while they are signed by a shared secret (`SECRET_KEY`).

    Such a service trusts a token until it expires; whether its session has ended, only this one can tell.
    """
    return KeySet(**request.state.keys.jwks())
