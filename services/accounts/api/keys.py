"""The keys by which other services can verify access tokens themselves."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

router = APIRouter(prefix="/.well-known", tags=["keys"])


class KeySet(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, Any]] = Field(examples=[[{"kty": "OKP", "crv": "Ed25519", "kid": "…", "x": "…"}]])


@router.get("/jwks.json", summary="The public keys")
async def jwks(request: Request) -> KeySet:
    """The keys that verify access tokens; none while they are signed by a shared secret (`SECRET_KEY`).

    Such a service trusts a token until it expires; whether its session has ended, only this one can tell.
    """
    return KeySet(**request.state.keys.jwks())
