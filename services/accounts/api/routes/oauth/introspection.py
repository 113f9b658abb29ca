"""OAuth 2.0 for other services and for programs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from accounts.api.dependencies import DbDep
from accounts.api.oauth_callers import authenticate_caller
from accounts.api.oauth_errors import refuse_repeated_parameters
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.rate_limits import RATE_LIMITED, limit_by_client
from accounts.domain import errors
from accounts.domain.oauth.introspection import introspect
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.oauth import IntrospectionForm, IntrospectionRead

router = APIRouter(prefix="/oauth", tags=["oauth"])
MAX_AGE = 5  # seconds


@router.post(
    "/introspect",
    summary="Ask whether a token is usable",
    dependencies=[
        limit_by_client(Attempt.INTROSPECT),
        Depends(refuse_repeated_parameters),
        Depends(authenticate_caller),
    ],
    responses=problems(*AUTHENTICATED, errors.InvalidClient, errors.InsufficientScope, *RATE_LIMITED),
    response_model_exclude_unset=True,
)
async def introspect_token(
    form: Annotated[IntrospectionForm, Form()], db: DbDep, request: Request, response: Response
) -> IntrospectionRead:
    """Return whether an access token, or a personal one, is usable now, and what it says of its user.

    Requires the scope `introspect`, of a bearer token or of a service account's secret, sent by HTTP Basic.

    For services that must see a sign-out at once. They may keep the response for five seconds. With `group`, it has the
    user's role in that group, or null.
    """
    settings = request.state.settings
    idle = settings.session_idle
    known = await introspect(db, request.state.keys, idle, form.token, form.group)
    if known is None:
        return IntrospectionRead(active=False)
    response.headers["Cache-Control"] = f"private, max-age={MAX_AGE}"
    return IntrospectionRead(active=True, **known)
