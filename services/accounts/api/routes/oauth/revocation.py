"""Revocation of tokens (RFC 7009)."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request

from accounts.api.dependencies import DbDep
from accounts.api.oauth_errors import refuse_repeated_parameters
from accounts.api.openapi import NO_BODY, problems
from accounts.api.rate_limits import RATE_LIMITED, limit_by_client
from accounts.domain.oauth.revocation import revoke
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.oauth import TokenForm

router = APIRouter(prefix="/oauth", tags=["oauth"])


@router.post(
    "/revoke",
    summary="End a token",
    dependencies=[limit_by_client(Attempt.REVOKE), Depends(refuse_repeated_parameters)],
    responses={HTTPStatus.OK: NO_BODY} | problems(*RATE_LIMITED),
)
async def revoke_token(form: Annotated[TokenForm, Form()], db: DbDep, request: Request) -> None:
    """End the session of an access token or a refresh token, or delete a personal access token.

    No sign-in is needed: the token itself is the proof. The response is the same for a token that is unknown or has
    ended.
    """
    await revoke(db, request.state.keys, request.state.settings.secret_keys, form.token)
