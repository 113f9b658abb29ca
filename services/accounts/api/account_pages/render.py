"""Renders the account pages, errors included, in the browser's language. They load nothing from other sites."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment
from pydantic import StringConstraints
from starlette.responses import Response

from accounts.api.account_pages.done_names import done_message, done_name
from accounts.api.account_pages.footer import legal_links, this_page
from accounts.api.account_pages.messages import DEAD_LINKS, Result, error_message, field_messages, problem_result
from accounts.api.account_pages.navigation import NavItem
from accounts.api.languages import accepted_languages
from accounts.api.problems import Problem
from accounts.branding import Branding
from accounts.branding.overrides import check_overrides
from accounts.domain.mail.languages import negotiate_language
from accounts.domain.passkeys.relying_party import is_available
from accounts.settings import Settings, SignUp
from accounts.translations import SOURCE_LANGUAGE, Language, get_language, list_languages
from accounts.translations.templates import create_environment

PATH = "/account"
ADMIN = "/admin"
PACKAGES = "accounts.api.account_pages", "accounts.api.admin_pages"  # with templates
# Forms that are shown again when they are refused.
FORMS = {
    "sign-in",
    "sign-in-code",
    "enter-code",
    "register",
    "complete-registration",
    "verify",
    "confirm-email",
    "undo-email",
    "forgot-password",
    "reset-password",
    "change-password",
    "invitation",
    "second-factor",
    "confirm",
    "authenticator-app",
    "new-group",
    "new-token",
    "profile",
    "change-email",
    "delete-account",
    "admin/new-user",
}
FORMS_WITH_VALUES = {
    "change-password",
    "second-factor",
    "confirm",
    "authenticator-app",
    "new-token",
    "profile",
    "change-email",
    "delete-account",
}  # see ``kept_values``
# Forms that are parts of another page.
PAGE_OF_FORM = {"sign-in/passkey": "sign-in"}
PASSKEY_PAGES = {"sign-in", "second-factor", "confirm", "passkeys"}  # with the script
# What templates show of the request. Empty, unless it is sent.
GIVEN = ("token", "invitation", "connect", "email", "username", "display_name", "next")
# The body was not read to its end, or is no form.
UNREADABLE = {"BAD_REQUEST", "REQUEST_TIMEOUT", "CONTENT_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"}
NOT_ADMITTED = {"NOT_FOUND"}  # the form is not for this user, or not at this path
FREE = {SignUp.OPEN, SignUp.VERIFIED}  # for anyone, without an invitation
SERVER_ERROR = HTTPStatus.INTERNAL_SERVER_ERROR
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    # With no-referrer, forms would send no Origin, which the cross-site guard needs. Paths and tokens are not sent.
    "Referrer-Policy": "strict-origin",
    "X-Robots-Tag": "noindex",
}
SECRETS = ("password", "code")  # in the names of fields that are never shown again
# A page to continue with, see ``page_url``: it cannot lead anywhere else.
NextPage = Annotated[str, StringConstraints(pattern=r"^(/[a-z0-9-]{1,40}){0,6}$")]
# The sign-in that waits for a second factor. Lax: the page is also opened by a redirect from a provider's site.
MFA_COOKIE = "__Host-accounts-mfa"
MFA_SECONDS = 5 * 60
CONNECTED_ACCOUNTS = "/connected-accounts"
PAGE = re.compile(r"(/[a-z0-9-]{1,40}){1,6}")  # the pages that a sign-in or a confirmation leads back to
SCRIPT_HEADERS = HEADERS | {
    "Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; script-src 'self'; connect-src 'self'"
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A refused form: a message for the page, and messages by field."""

    message: str
    fields: Mapping[str, str]


def request_language(request: Request) -> Language:
    """Return the user's own language, else the one chosen on a page, else the browser's: negotiated once."""
    if not hasattr(request.state, "language"):
        languages = getattr(request.state, "own_language", None) or accepted_languages(request)
        request.state.language = get_language(negotiate_language(languages))
    language: Language = request.state.language
    return language


def drops_cookies(request: Request) -> bool:
    """Return whether the browser will not keep the cookie, which is Secure, because the page came over plain HTTP.

    Browsers send Sec-Fetch-Site over TLS and to localhost, also where a proxy ends TLS and does not say so.
    """
    headers, settings = request.headers, request.state.settings
    over_tls = request.url.scheme == "https" or settings.public_url == f"https://{headers.get('host')}"
    return not over_tls and "sec-fetch-site" not in headers


def render_page(
    request: Request,
    name: str,
    status: int = HTTPStatus.OK,
    *,
    failure: Failure | None = None,
    username: str = "",
    **values: Any,
) -> HTMLResponse:
    """Render a template with ``values`` and with what the request sent, except for passwords.

    ``username`` is the email address of the account that the page is about, if it is known.
    """
    empty = dict.fromkeys(GIVEN, "")
    settings, language = request.state.settings, request_language(request)
    known = {"username": username} if username else {}
    given = empty | dict(request.query_params) | getattr(request.state, "form", {}) | known
    uses_passkeys = name in PASSKEY_PAGES and is_available(settings)
    invited = bool(given["invitation"]) or name == "invitation"
    html = (
        _environment(language, settings.templates_dir)
        .get_template(f"{name}.html")
        .render(
            given=given,
            can_sign_up_alone=settings.sign_up in FREE,
            can_sign_up=settings.sign_up in FREE or (invited and settings.sign_up is SignUp.INVITED),
            sign_up_closed=settings.sign_up is SignUp.CLOSED,
            signs_in_by_code=settings.sign_in_by_code,
            drops_cookies=drops_cookies(request),
            providers=request.state.providers.names,
            sign_up_providers=request.state.providers.sign_up_names,
            chooses_password=invited or settings.sign_up is SignUp.OPEN,
            uses_passkeys=uses_passkeys,
            failure=failure,
            service=settings.service,
            brand=Branding.of(settings),
            password_min_length=settings.password_min_length,
            language=language.tag,
            languages=list_languages(),
            this_page=this_page(request, f"{PATH}/{name}" if name in FORMS else None, given),
            legal_links=legal_links(settings),
            now=datetime.now(UTC),
            path=PATH,
            admin=ADMIN,
            page_url=page_url,
            navigation=_navigation(request),
            here=request.scope["path"],
            in_admin=is_admin_page(request.scope["path"]),
            viewer=getattr(request.state, "viewer", None),
            done=done_message(request),
            done_name=done_name(request),
            **kept_values(request) | values,
        )
    )
    headers = SCRIPT_HEADERS if uses_passkeys else HEADERS
    return HTMLResponse(html, status, headers | {"Content-Language": language.tag, "Vary": "Accept-Language, Cookie"})


def _navigation(request: Request) -> Sequence[tuple[str, NavItem]]:
    """Return the entries for the area of a page, with the URL of each."""
    state, path = request.app.state, request.scope["path"]
    area, items = (ADMIN, state.admin_navigation) if is_admin_page(path) else (PATH, state.account_navigation)
    return [(f"{area}{item.page}", item) for item in items]


def is_admin_page(path: str) -> bool:
    """Return whether a path is that of a page of the administration."""
    return path == ADMIN or path.startswith(f"{ADMIN}/")


def page_url(page: str) -> str:
    """Return the path of a page: one of the administration is given in full, all others are account pages."""
    return page if is_admin_page(page) else f"{PATH}{page}"


def kept_values(request: Request) -> dict[str, Any]:
    """Return the values that the template of the request's page needs, also if its form is shown again.

    A dependency of the route sets them, since it runs before the form is validated.
    """
    if not hasattr(request.state, "values"):
        request.state.values = {}
    values: dict[str, Any] = request.state.values
    return values


def show_form_again(request: Request, form: str, values: Mapping[str, Any]) -> None:
    """Have the form of a page whose path has ids shown again if it is refused, by a template that needs ``values``."""
    request.state.form_page = form
    kept_values(request).update(values)


def missing_field(name: str) -> RequestValidationError:
    """Return the error of a field that a form needs in some cases only."""
    return RequestValidationError([{"type": "missing", "loc": ("body", name), "msg": "Field required"}])


def render_result(request: Request, result: Result, status: int = HTTPStatus.OK) -> HTMLResponse:
    """Render the result of an action, with a button that leads on."""
    gettext = request_language(request).gettext
    return render_page(
        request,
        "result",
        status,
        title=gettext(result.title),
        message=gettext(result.message),
        button=gettext(result.button),
        page=result.page,
        offers_sign_up=result.offers_sign_up,
    )


@cache
def _environment(language: Language, templates: Path | None) -> Environment:
    overrides = templates / "pages" if templates else None
    return create_environment(PACKAGES, language, autoescape=True, overrides=overrides)


def check_templates(settings: Settings) -> None:
    """Check the pages in TEMPLATES_DIR.

    Raises:
        SettingsError: a template has an error.

    """
    environment = _environment(get_language(SOURCE_LANGUAGE), settings.templates_dir)
    check_overrides(settings.templates_dir, "pages", environment)


def redirect(page: str, cookie_from: Response | None = None, **query: str | None) -> RedirectResponse:
    """Redirect to another page with GET (RFC 9110, 15.4.4), with the cookie that ``cookie_from`` sets.

    Of the query, values that are None are left out. ``done`` names a message of ``DONE``, which the page shows.
    """
    given = {name: value for name, value in query.items() if value is not None}
    url = page_url(page) + (f"?{urlencode(given)}" if given else "")
    response = RedirectResponse(url, HTTPStatus.SEE_OTHER, HEADERS)
    if cookie_from is not None:
        response.headers["Set-Cookie"] = cookie_from.headers["Set-Cookie"]
    return response


def redirect_to(url: str, cookie_from: Response | None = None) -> RedirectResponse:
    """Redirect to any URL with GET, with the cookie that ``cookie_from`` sets. Nothing of this URL is sent along."""
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    if cookie_from is not None:
        headers["Set-Cookie"] = cookie_from.headers["Set-Cookie"]
    return RedirectResponse(url, HTTPStatus.SEE_OTHER, headers)


def redirect_signed_in(signed_in: Response, invitation: str | None, next_page: str = "") -> RedirectResponse:
    """Redirect after a sign-in: to the invitation that it continues with, or to another page."""
    return redirect("/invitation", signed_in, token=invitation) if invitation else redirect(next_page, signed_in)


def ask_for_second_factor(token: str, sent: Mapping[str, Any]) -> RedirectResponse:
    """Redirect to the page that finishes a sign-in, whose token a cookie keeps.

    ``sent`` is the form of the sign-in, which continues with an invitation, an account at a provider, or another page.
    """
    next_page = CONNECTED_ACCOUNTS if sent.get("connect") else sent.get("next") or None
    response = redirect("/second-factor", invitation=sent.get("invitation") or None, next=next_page)
    response.set_cookie(MFA_COOKIE, token, MFA_SECONDS, secure=True, httponly=True, samesite="lax")
    return response


def is_page(request: Request) -> bool:
    """Return whether a request is for a page that is served here, or part of the way to one, as its route has said."""
    path = request.scope["path"]
    in_area = path == PATH or path.startswith(f"{PATH}/") or is_admin_page(path)
    return (in_area or getattr(request.state, "leads_to_page", False)) and not request.state.settings.pages_url


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


async def problem_page(request: Request, problem: Problem) -> Response:
    """Render a problem as a page: the form again if it can be corrected, or a page of its own.

    Without a session, the page leads to the sign-in, which leads back.
    """
    form = request.scope["path"].removeprefix(PATH)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return redirect("/sign-in", next=form if request.method == "GET" and PAGE.fullmatch(form) else None)
    if problem.detail == "MFA_REQUIRED":
        return ask_for_second_factor(problem.mfa_token or "", await request.form())
    if problem.detail == "REAUTHENTICATION_REQUIRED":
        page_path = getattr(request.state, "next_page", form)
        return redirect("/confirm", next=page_path if PAGE.fullmatch(page_path) and page_path != "/confirm" else "")
    language, wait = request_language(request), problem.headers.get("Retry-After")
    message = error_message(language, problem, language.from_now(timedelta(seconds=int(wait))) if wait else None)
    form = form.removeprefix("/")
    form = getattr(request.state, "form_page", PAGE_OF_FORM.get(form, form))
    # A refusal that comes before the route's dependencies leaves a form without the values that it needs.
    is_complete = form not in FORMS_WITH_VALUES or kept_values(request)
    is_form = form in FORMS or hasattr(request.state, "form_page")
    if request.method == "POST" and is_form and is_complete and _can_be_corrected(problem):
        page = await _render_form_again(request, form, problem, message)
    else:
        page = render_result(request, problem_result(problem, message), problem.status)
    for name in ("Retry-After", "Allow", "Connection"):
        if name in problem.headers:
            page.headers[name] = problem.headers[name]
    return page


def _can_be_corrected(problem: Problem) -> bool:
    return problem.status < SERVER_ERROR and problem.detail not in {*UNREADABLE, *DEAD_LINKS, *NOT_ADMITTED}


async def _render_form_again(request: Request, form: str, problem: Problem, message: str) -> HTMLResponse:
    if not hasattr(request.state, "form"):
        sent = await request.form()  # the route has read the body, and the request remembers it
        request.state.form = {name: value for name, value in sent.items() if not any(each in name for each in SECRETS)}
    fields = field_messages(request_language(request), problem, request.state.settings.password_min_length)
    return render_page(request, form, problem.status, failure=Failure(message, fields))


async def require_pages_enabled(request: Request) -> None:
    """Refuse requests for pages if PAGES_URL names another site.

    Raises:
        HTTPException: 404.

    """
    if request.state.settings.pages_url:
        raise HTTPException(HTTPStatus.NOT_FOUND)
