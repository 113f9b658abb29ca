"""OAuth 2.0's token endpoint for programs: the client credentials grant (RFC 6749, 4.4)."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from accounts.api.client_authentication import BasicCredentials, choose_credentials
from accounts.api.dependencies import DbDep, count_attempt
from accounts.api.oauth_errors import refuse_repeated_parameters
from accounts.api.openapi import problems
from accounts.api.rate_limits import RATE_LIMITED, limit_by_client
from accounts.domain import errors
from accounts.domain.rate_limits.rules import Attempt
from accounts.domain.service_accounts.tokens import authenticate_client, granted_scopes, start_session
from accounts.domain.sessions.assurance import acr
from accounts.schemas.service_accounts import ClientCredentialsForm, ServiceTokenRead

router = APIRouter(prefix="/oauth", tags=["oauth"])


@router.post(
    "/token",
    summary="Get an access token for a service account",
    dependencies=[limit_by_client(Attempt.CLIENT), Depends(refuse_repeated_parameters)],
    responses=problems(errors.InvalidClient, errors.InvalidScope, *RATE_LIMITED),
)
async def issue_token(
    form: Annotated[ClientCredentialsForm, Form()],
    basic: BasicCredentials,
    db: DbDep,
    request: Request,
    response: Response,
) -> ServiceTokenRead:
    """Exchange the id and a secret of a service account for an access token.

    Send them by HTTP Basic, or as `client_id` and `client_secret` in the form. The token ends with the secret, and
    after `expires_in` seconds in any case; then request another one.
    """
    client_id, secret = choose_credentials(basic, form.client_id, form.client_secret)
    await db.begin_autocommit()
    user, key = await authenticate_client(db, client_id, secret)
    await db.release_connection()
    scopes = granted_scopes(key, form.scope)
    await count_attempt(request, Attempt.SERVICE_TOKEN, account=str(user.id))
    seconds = request.state.settings.access_token_seconds
    session_id = await start_session(db, key, scopes, timedelta(seconds=seconds))
    response.headers["Cache-Control"] = "no-store"  # RFC 6749, 5.1
    token = request.state.keys.sign(user.id, session_id, scopes, client_id=str(user.id), acr=acr(key.aal))
    return ServiceTokenRead(access_token=token, expires_in=seconds, scope=" ".join(scopes))
