"""Sign-in with other providers: the way back."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import JOINED, redirect_back, redirect_to
from accounts.api.authentication import BearerStrategyDep, CookieStrategyDep
from accounts.api.dependencies import AccountLinkerDep, AuthorizationDep, ExternalIdentityDep, begin_writing
from accounts.api.openapi import problems
from accounts.api.rate_limits import RATE_LIMITED, limit_by_client
from accounts.api.routes.external_sign_in.browser import COOKIE, ProviderDep, leads_to_page
from accounts.api.routes.identity.auth import token_response
from accounts.domain import errors
from accounts.domain.external_sign_in.authorization import Arrival, Callback
from accounts.domain.external_sign_in.linking import AccountLinker
from accounts.domain.rate_limits.rules import Attempt
from accounts.domain.sessions.pending_sign_ins import keep_continuation
from accounts.models import SessionKind, User
from accounts.schemas.external_sign_in import CallbackQuery
from accounts.schemas.identity.auth import TokenRead

router = APIRouter(prefix="/auth", tags=["other providers"])
REFUSALS = (
    errors.OAuthInvalidState,
    errors.ProviderDenied,
    errors.ProviderRefused,
    errors.OAuthNotAvailableEmail,
    errors.OAuthEmailUnverified,
    errors.OAuthUserAlreadyExists,
    errors.OAuthSignUpClosed,
    errors.OAuthIdentityTaken,
    errors.RegisterClosed,
    errors.RegisterInvitationRequired,
    errors.InvitationBadToken,
    errors.InvitationOtherAddress,
    errors.LoginBadCredentials,
    errors.MfaRequired,
    errors.ReauthenticationRequired,
    errors.VerifiedEmailRequired,
    errors.UserNotFound,
    errors.SessionNotFound,
    errors.ProviderNotFound,
    errors.ProviderUnavailable,
    *RATE_LIMITED,
)
OTHER_RESPONSES: dict[int | str, dict[str, Any]] = {
    HTTPStatus.NO_CONTENT: {"description": "The account was connected, or the presence proven."},
    HTTPStatus.SEE_OTHER: {"description": "With `kind=cookie`."},
}


@router.get(
    "/{provider}/callback",
    summary="Come back from a provider",
    dependencies=[Depends(leads_to_page), limit_by_client(Attempt.EXTERNAL_SIGN_IN), Depends(begin_writing)],
    response_model=TokenRead,
    responses=problems(*REFUSALS) | OTHER_RESPONSES,
)
async def come_back(
    provider: ProviderDep,
    query: Annotated[CallbackQuery, Query()],
    manager: AuthorizationDep,
    identities: ExternalIdentityDep,
    linker: AccountLinkerDep,
    bearer_strategy: BearerStrategyDep,
    cookie_strategy: CookieStrategyDep,
    request: Request,
    response: Response,
) -> TokenRead | Response:
    """Finish what the browser was sent to the provider for. The provider's redirect leads here.

    A sign-in returns tokens, or sets a cookie and redirects: as was asked for at the beginning.
    """
    arrival = await manager.finish(provider, request.cookies.get(COOKIE, ""), Callback(**query.model_dump()))
    continuation = arrival.continuation
    by_cookie = request.state.leads_to_page = continuation.kind is SessionKind.COOKIE
    request.state.return_to = continuation.return_to
    if continuation.session_id is not None:
        await identities.arrive(arrival)
        return redirect_to(continuation.return_to) if by_cookie else Response(status_code=HTTPStatus.NO_CONTENT)
    user = await linker.find_user(arrival)
    return_to = continuation.return_to
    if continuation.invitation_hash is not None:
        return_to = JOINED if return_to == PATH else return_to  # in place of the account
    try:
        if by_cookie:
            return redirect_back(return_to, await _sign_in_with_cookie(user, arrival, linker, cookie_strategy))
        started = await bearer_strategy.start(user, arrival.assurance(user), continuation.scopes)
    except errors.MfaRequired as required:
        await keep_continuation(manager.db, required.token, return_to, continuation.invitation_hash)
        raise
    await linker.accept_invitation(user, arrival)
    return await token_response(request, response, manager.db, *started)


async def _sign_in_with_cookie(
    user: User, arrival: Arrival, linker: AccountLinker, strategy: CookieStrategyDep
) -> Response:
    signed_in = await strategy.sign_in(user, arrival.assurance(user))
    await linker.accept_invitation(user, arrival)
    return signed_in
