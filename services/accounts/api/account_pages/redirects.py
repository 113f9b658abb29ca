"""Redirects between pages, after forms and sign-ins, and back to an application with pages of its own."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from accounts.api.account_pages.done_messages import Done, remember_done
from accounts.api.account_pages.paths import CONNECTED_ACCOUNTS, HEADERS, page_url
from accounts.api.problems import Problem

# The sign-in that waits for a second factor. Lax: the page is also opened by a redirect from a provider's site.
MFA_COOKIE = "__Host-accounts-mfa"
MFA_SECONDS = 5 * 60
ACCEPTED = "accepted"
JOINED = page_url(f"/done/{ACCEPTED}")


def redirect(
    page: str, cookie_from: Response | None = None, *, done: str = "", done_name: str = "", **query: str | None
) -> RedirectResponse:
    """Redirect to another page with GET (RFC 9110, 15.4.4), with the cookie that ``cookie_from`` sets.

    Of the query, values that are None are left out. ``done`` names a text that the page shows (``DONE``), about what is
    called ``done_name``.
    """
    given = {name: value for name, value in query.items() if value is not None}
    url = page_url(page) + (f"?{urlencode(given)}" if given else "")
    response = RedirectResponse(url, HTTPStatus.SEE_OTHER, HEADERS)
    if cookie_from is not None:
        response.headers["Set-Cookie"] = cookie_from.headers["Set-Cookie"]
    if done:
        remember_done(response, Done(done, done_name))
    return response


def redirect_to_result(name: str, cookie_from: Response | None = None, **query: Any) -> RedirectResponse:
    """Redirect to the page of a result (``RESULTS``)."""
    return redirect(f"/done/{name}", cookie_from, done=name, **query)


def redirect_to(url: str, cookie_from: Response | None = None) -> RedirectResponse:
    """Redirect to any URL with GET, with the cookie that ``cookie_from`` sets. Nothing of this URL is sent along."""
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    if cookie_from is not None:
        headers["Set-Cookie"] = cookie_from.headers["Set-Cookie"]
    return RedirectResponse(url, HTTPStatus.SEE_OTHER, headers)


def redirect_signed_in(signed_in: Response, invitation: str | None, next_page: str = "") -> RedirectResponse:
    """Redirect after a sign-in: to the invitation that it continues with, or to another page."""
    return redirect("/invitation", signed_in, token=invitation) if invitation else redirect(next_page, signed_in)


def redirect_back(url: str, signed_in: Response) -> RedirectResponse:
    """Redirect after a sign-in with a provider: to where it began, or to the result of accepting an invitation."""
    return redirect_to_result(ACCEPTED, signed_in) if url == JOINED else redirect_to(url, signed_in)


def ask_for_second_factor(token: str, sent: Mapping[str, Any]) -> RedirectResponse:
    """Redirect to the page that finishes a sign-in, whose token a cookie keeps.

    ``sent`` is the form of the sign-in, which continues with an invitation, an account at a provider, or another page.
    """
    next_page = CONNECTED_ACCOUNTS if sent.get("connect") else sent.get("next") or None
    response = redirect("/second-factor", invitation=sent.get("invitation") or None, next=next_page)
    response.set_cookie(MFA_COOKIE, token, MFA_SECONDS, secure=True, httponly=True, samesite="lax")
    return response


def application_url(request: Request) -> str | None:
    """Return where a browser on its way to or from a provider shows a problem, if the pages are elsewhere."""
    if not (request.state.settings.pages_url and getattr(request.state, "leads_to_page", False)):
        return None
    url: str = getattr(request.state, "return_to", request.state.settings.pages_url)
    return url


def redirect_with_problem(url: str, problem: Problem) -> RedirectResponse:
    """Redirect with the code of a problem in the fragment, which browsers send to no server (RFC 9110, 4.2.3).

    The token of a sign-in that waits for a second factor is there as well. It opens nothing without the factor.
    """
    members = {"error": problem.detail, "mfa_token": problem.mfa_token, "factors": ",".join(problem.factors or ())}
    fragment = urlencode({name: value for name, value in members.items() if value}, safe=",")
    return redirect_to(f"{url.partition('#')[0]}#{fragment}")
