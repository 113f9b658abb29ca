"""How a page is made, also of an error; nothing on it comes from elsewhere, and nothing of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from accounts.api.account_pages.messages import faults_of, message_of
from accounts.api.problems import Problem

PATH = "/account"
READ = ["GET", "HEAD"]  # programs that look at links ask for heads, too
# What is shown again, when it was refused.
FORMS = {
    "sign-in",
    "register",
    "verify",
    "confirm-email",
    "undo-email",
    "forgot-password",
    "reset-password",
    "invitation",
}
UNREAD = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONTENT_TOO_LARGE}  # of these the form never arrived
SERVER_ERROR = HTTPStatus.INTERNAL_SERVER_ERROR
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    # With no-referrer, forms would name no Origin, by which the guard knows this site. No path, and no token, is sent.
    "Referrer-Policy": "strict-origin",
}
SECRET = "password"  # noqa: S105  # what the names of fields that are not shown again contain
TEMPLATES = Environment(
    autoescape=True,
    loader=PackageLoader("accounts.api.account_pages"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a form was refused: in a sentence, and what is wrong with which field."""

    message: str
    fields: Mapping[str, str]


def render_page(
    request: Request, name: str, status: int = HTTPStatus.OK, *, failure: Failure | None = None, **values: Any
) -> HTMLResponse:
    """Render a template with what the request brought, but for passwords, and ``values``."""
    brought = {"token": "", "invitation": "", "email": "", "username": "", "display_name": ""}
    given = brought | dict(request.query_params) | getattr(request.state, "form", {})
    service = request.state.settings.service
    text = TEMPLATES.get_template(f"{name}.html").render(
        given=given, failure=failure, service=service, path=PATH, **values
    )
    return HTMLResponse(text, status, HEADERS)


def redirect(page_path: str, like: Response | None = None, **query: str) -> RedirectResponse:
    """Send the browser to another page with GET (RFC 9110, 15.4.4), with the cookie that another answer sets."""
    url = f"{PATH}{page_path}" + (f"?{urlencode(query)}" if query else "")
    answer = RedirectResponse(url, HTTPStatus.SEE_OTHER, HEADERS)
    if like is not None:
        answer.headers["Set-Cookie"] = like.headers["Set-Cookie"]
    return answer


def is_page(request: Request) -> bool:
    """Tell whether a request is for a page, and pages are served here."""
    path = request.scope["path"]
    return not request.state.settings.pages_url and (path == PATH or path.startswith(f"{PATH}/"))


async def problem_page(request: Request, problem: Problem) -> Response:
    """Render a problem as a page: the form again with its faults, or a page of its own; 401 leads to the sign-in."""
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return redirect("/sign-in")
    form = request.scope["path"].removeprefix(f"{PATH}/")
    message = message_of(problem)
    if request.method == "POST" and form in FORMS and problem.status not in UNREAD and problem.status < SERVER_ERROR:
        # The route has read the body, and the request remembers it.
        sent = await request.form()
        request.state.form = {name: value for name, value in sent.items() if SECRET not in name}
        page = render_page(request, form, problem.status, failure=Failure(message, faults_of(problem)))
    else:
        page = render_page(request, "problem", problem.status, message=message, title=problem.title)
    for name in ("Retry-After", "Allow"):
        if name in problem.headers:
            page.headers[name] = problem.headers[name]
    return page


async def require_pages_enabled(request: Request) -> None:
    """Let there be no pages where PAGES_URL names others.

    Raises:
        HTTPException: 404.

    """
    if request.state.settings.pages_url:
        raise HTTPException(HTTPStatus.NOT_FOUND)
