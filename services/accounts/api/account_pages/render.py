"""Renders the account pages, errors included, in the browser's language. They load nothing from other sites."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment

from accounts.api.account_pages.done_messages import done_message, forget_done
from accounts.api.account_pages.footer import this_page
from accounts.api.account_pages.forms import kept_values
from accounts.api.account_pages.messages import CHECK_FIELDS
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import ADMIN, HEADERS, PATH, is_admin_page, page_url
from accounts.api.account_pages.results import Result
from accounts.api.callers import CallerSummary
from accounts.api.languages import accepted_languages
from accounts.branding import Branding
from accounts.branding.overrides import check_overrides
from accounts.domain.mail.languages import negotiate_language
from accounts.domain.passkeys.relying_party import is_available
from accounts.settings import Settings, SignUp
from accounts.translations import SOURCE_LANGUAGE, Language, get_language, list_languages
from accounts.translations.templates import create_environment

PACKAGES = "accounts.api.account_pages", "accounts.api.admin_pages"  # with templates
PASSKEY_PAGES = {"sign-in", "second-factor", "confirm", "passkeys"}  # with the script
SCRIPT_PAGES = {"group-import-progress"}  # with a script of their own
# What a link may give to a page: nothing that a user fills in.
FROM_LINKS = ("token", "invitation", "connect", "next")
FREE = {SignUp.OPEN, SignUp.VERIFIED}  # for anyone, without an invitation
SCRIPT_HEADERS = HEADERS | {
    "Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; script-src 'self'; connect-src 'self'"
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A refused form: a message for the page, and messages by field."""

    message: str
    fields: Mapping[str, str]

    @classmethod
    def translated(cls, language: Language, faults: Mapping[str, str], message: str = CHECK_FIELDS) -> "Failure":
        """Translate a message, and those of ``faults`` by field."""
        return cls(language.gettext(message), {name: language.gettext(fault) for name, fault in faults.items()})


def request_language(request: Request) -> Language:
    """Return the user's own language, else the one chosen on a page, else the browser's: negotiated once."""
    if not hasattr(request.state, "language"):
        viewer: CallerSummary | None = getattr(request.state, "viewer", None)
        languages = (viewer and viewer.language) or accepted_languages(request)
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
    settings, language = request.state.settings, request_language(request)
    known = {"username": username} if username else {}
    query, sent = _printable(request.query_params), _printable(getattr(request.state, "form", {}))
    given = {name: query.get(name, "") for name in FROM_LINKS} | sent | known
    uses_passkeys = name in PASSKEY_PAGES and is_available(settings)
    refused = bool(failure) or status >= HTTPStatus.BAD_REQUEST
    done = None if refused else done_message(request)
    invited = bool(given["invitation"]) or name == "invitation"
    html = (
        _environment(language, settings.templates_dir)
        .get_template(f"{name}.html")
        .render(
            given=given,
            asked=query,
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
            this_page=this_page(request, given, refused=refused),
            now=datetime.now(UTC),
            path=PATH,
            admin=ADMIN,
            page_url=page_url,
            navigation=_navigation(request),
            here=request.scope["path"],
            in_admin=is_admin_page(request.scope["path"]),
            viewer=getattr(request.state, "viewer", None),
            done=done,
            **kept_values(request) | values,
        )
    )
    headers = SCRIPT_HEADERS if uses_passkeys or name in SCRIPT_PAGES else HEADERS
    headers |= {"Content-Language": language.tag, "Vary": "Accept-Language, Cookie"}
    response = HTMLResponse(html, status, headers)
    if done:
        forget_done(response)
    return response


def _printable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Remove null characters, which HTML can't contain."""
    return {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in values.items()}


def _navigation(request: Request) -> Sequence[tuple[str, NavItem]]:
    """Return the entries for the area of a page, with the URL of each."""
    state, path = request.app.state, request.scope["path"]
    area, items = (ADMIN, state.admin_navigation) if is_admin_page(path) else (PATH, state.account_navigation)
    return [(f"{area}{item.page}", item) for item in items]


def render_result(
    request: Request, result: Result, status: int = HTTPStatus.OK, *, repeats: bool = False
) -> HTMLResponse:
    """Render the result of an action, with a button that leads on, or back to the page if that ``repeats`` it."""
    gettext = request_language(request).gettext
    return render_page(
        request,
        "result",
        status,
        title=gettext(result.title),
        message=gettext(result.message),
        button=result.button and gettext(result.button),
        page=result.page,
        repeats=repeats,
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
