"""Sign-in with other providers: the way there."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import AuthorizationDep, ExternalIdentityDep
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.rate_limits import RATE_LIMITED, limit_by_client
from accounts.api.routes.external_sign_in.browser import (
    ProviderDep,
    allowed_return_to,
    leads_to_page,
    require_own_page,
    send,
)
from accounts.domain import errors
from accounts.domain.external_sign_in.requests import Continuation
from accounts.domain.opaque_tokens import hash_token
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import AuthorizationPurpose, SessionKind
from accounts.schemas.external_sign_in import AuthorizationUrl, ProviderRead, ReturnQuery, SignInQuery
from accounts.schemas.identity.auth import sign_in_scopes

router = APIRouter(prefix="/auth", tags=["other providers"])
LIMITED = [Depends(leads_to_page), limit_by_client(Attempt.EXTERNAL_SIGN_IN)]
ABOUT_PROVIDER = (errors.ProviderNotFound, errors.ProviderUnavailable, *RATE_LIMITED)
AWAY = (errors.OAuthBadReturnTo, *ABOUT_PROVIDER)
FROM_SESSION = (*AUTHENTICATED, errors.ReauthenticationRequired, errors.CrossSite, *AWAY)
SEE_OTHER: dict[int | str, dict[str, Any]] = {HTTPStatus.SEE_OTHER: {"description": "With `redirect`."}}


@router.get("/providers", summary="List the providers")
async def list_providers(request: Request) -> list[ProviderRead]:
    """List the providers with which users can sign in, in the order of the buttons."""
    names = request.state.providers.names
    return [ProviderRead(name=name, display_name=display_name) for name, display_name in names.items()]


@router.get(
    "/{provider}/authorize",
    summary="Sign in with a provider",
    dependencies=LIMITED,
    response_model=AuthorizationUrl,
    responses=problems(*AWAY) | SEE_OTHER,
)
async def authorize(
    provider: ProviderDep, query: Annotated[SignInQuery, Query()], manager: AuthorizationDep, request: Request
) -> Response:
    """Return the URL at which the user signs in, and set a cookie: only the same browser can come back.

    The provider sends the browser back to the callback within ten minutes.
    """
    continuation = Continuation(
        SessionKind(query.kind),
        allowed_return_to(request, query.return_to),
        scopes=tuple(sign_in_scopes(query.scope)),
        invitation_hash=hash_token(query.invitation) if query.invitation else None,
    )
    return await send(request, manager, provider, query, continuation)


@router.get(
    "/associate/{provider}/authorize",
    summary="Connect an account of a provider",
    dependencies=[*LIMITED, Depends(require_own_page)],
    response_model=AuthorizationUrl,
    responses=problems(*FROM_SESSION, errors.VerifiedEmailRequired) | SEE_OTHER,
)
async def associate(
    provider: ProviderDep,
    query: Annotated[ReturnQuery, Query()],
    user: CurrentUser,
    current: CurrentSession,
    manager: AuthorizationDep,
    identities: ExternalIdentityDep,
    request: Request,
) -> Response:
    """Connect an account of a provider with yours, to sign in with it. Requires a recent sign-in, and a verified email.

    The provider sends the browser back to the same callback as after a sign-in. You get a notice by mail.
    """
    await identities.require_connectable(user, current)
    return_to = allowed_return_to(request, query.return_to)
    continuation = Continuation(SessionKind(query.kind), return_to, AuthorizationPurpose.LINK, session_id=current.id)
    return await send(request, manager, provider, query, continuation)


@router.get(
    "/reauthenticate/{provider}/authorize",
    summary="Step up the authentication of the session with a provider",
    dependencies=[*LIMITED, Depends(require_own_page)],
    response_model=AuthorizationUrl,
    responses=problems(*FROM_SESSION) | SEE_OTHER,
)
async def reauthenticate(
    provider: ProviderDep,
    query: Annotated[ReturnQuery, Query()],
    _: CurrentUser,
    current: CurrentSession,
    manager: AuthorizationDep,
    request: Request,
) -> Response:
    """Sign in once more with a connected account, for operations that require a recent sign-in (RFC 9470).

    The provider is asked to have you sign in again, and has to confirm that you did. It does not replace a second
    factor, unless the provider is trusted with it.
    """
    if not provider.proves_recent_sign_in:
        raise errors.ReauthenticationRequired(request.state.settings.recent_seconds)
    return_to = allowed_return_to(request, query.return_to)
    continuation = Continuation(
        SessionKind(query.kind), return_to, AuthorizationPurpose.REAUTHENTICATE, session_id=current.id
    )
    return await send(request, manager, provider, query, continuation)
