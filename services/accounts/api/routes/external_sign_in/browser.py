"""The browser on its way to a provider and back: its cookie, its redirects, and where it may end up."""

import re
from typing import Annotated

from fastapi import Depends, Request, Response
from starlette.responses import JSONResponse

from accounts.api.account_pages.paths import ADMIN, CONNECTED_ACCOUNTS, PATH
from accounts.api.account_pages.redirects import JOINED, redirect_to
from accounts.api.authentication import CurrentSession
from accounts.domain import errors
from accounts.domain.external_providers.provider import Provider
from accounts.domain.external_sign_in.authorization import AuthorizationManager
from accounts.domain.external_sign_in.requests import LIFETIME, Continuation, browser_secret
from accounts.models import SessionKind
from accounts.schemas.external_sign_in import AuthorizationUrl, ReturnQuery
from accounts.settings_addresses import url_parts

COOKIE = "__Host-accounts-oidc"
PAGE = re.compile(rf"({PATH}|{ADMIN})(/[a-z0-9]+(-[a-z0-9]+)*)*")


async def leads_to_page(request: Request) -> None:
    """Note whether a browser shows the response, so that a refusal is a page."""
    request.state.leads_to_page = (
        "text/html" in request.headers.get("accept", "") or request.query_params.get("redirect") == "true"
    )


async def require_own_page(request: Request, current: CurrentSession) -> None:
    """Refuse a link of another site that would use the session's cookie: it would connect an account of its choice.

    The cookie is sent along since the request is a navigation with GET.

    Raises:
        CrossSite: the browser does not say that the link is on a page of ours.

    """
    request.state.next_page = CONNECTED_ACCOUNTS  # after a confirmation that the route may require
    site = request.headers.get("sec-fetch-site")
    public_url = request.state.settings.public_url
    is_own = site == "same-origin" if site else f"{request.headers.get('referer')}/".startswith(f"{public_url}/")
    if current.kind is SessionKind.COOKIE and not is_own:
        raise errors.CrossSite


async def get_provider(provider: str, request: Request) -> Provider:
    """Return the provider that the path names.

    Raises:
        ProviderNotFound: there is none.

    """
    found: Provider = request.state.providers.get(provider)
    return found


ProviderDep = Annotated[Provider, Depends(get_provider)]


def allowed_return_to(request: Request, return_to: str) -> str:
    """Return where a browser is sent at the end: an account page, or a URL of an allowed origin.

    Raises:
        OAuthBadReturnTo: the URL leads elsewhere, or is not in its plainest form.

    """
    settings = request.state.settings
    if not return_to:
        return settings.pages_url or PATH
    origins = {settings.public_url, *settings.cors_origins}
    if settings.pages_url:
        origins.add(url_parts(settings.pages_url)[0])
    elif PAGE.fullmatch(return_to) and return_to != JOINED:  # which says what was not done
        return return_to
    # With the slash, no user name, port or longer host name can follow the origin.
    if "\\" not in return_to and f"{return_to}/".startswith(tuple(f"{origin}/" for origin in origins)):
        return return_to
    raise errors.OAuthBadReturnTo


async def send(
    request: Request,
    manager: AuthorizationManager,
    provider: Provider,
    query: ReturnQuery,
    continuation: Continuation,
) -> Response:
    """Send a browser to a provider: by a redirect, or by a document with the URL."""
    browser = browser_secret(request.cookies.get(COOKIE))
    url = await manager.begin(provider, browser, continuation)
    document = AuthorizationUrl(authorization_url=url).model_dump()
    response = redirect_to(url) if query.redirect else JSONResponse(document, headers={"Cache-Control": "no-store"})
    seconds = int(LIFETIME.total_seconds())
    response.set_cookie(COOKIE, browser, seconds, path="/", secure=True, httponly=True, samesite="lax")
    return response
