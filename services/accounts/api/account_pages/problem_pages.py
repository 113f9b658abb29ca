"""Refused requests as pages: the form again if it can be corrected, or a page of its own."""

from datetime import timedelta
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from accounts.api.account_pages.field_messages import field_messages
from accounts.api.account_pages.forms import FORMS, FORMS_WITH_VALUES, PAGE_OF_FORM, kept_values, sent_texts
from accounts.api.account_pages.messages import error_message
from accounts.api.account_pages.paths import PAGE, PATH, is_admin_page
from accounts.api.account_pages.redirects import ask_for_second_factor, redirect
from accounts.api.account_pages.render import Failure, render_page, render_result, request_language
from accounts.api.account_pages.results import DEAD_LINKS, problem_result
from accounts.api.account_pages.viewers import find_viewer
from accounts.api.problems import INVALID, Problem

# The body is no form, or was not read to its end.
UNREADABLE = {
    "BAD_REQUEST",
    "REQUEST_TIMEOUT",
    "CONTENT_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "CROSS_SITE",
    "HOST_NOT_ALLOWED",
}
# The page can be opened again, and its form repeated.
REPEATABLE = {*UNREADABLE, INVALID, "TOO_MANY_ATTEMPTS", "IMPORT_IN_PROGRESS"} - {"HOST_NOT_ALLOWED"}
NOT_ADMITTED = {"NOT_FOUND"}  # the form is not for this user, or not at this path
SECRETS = ("password", "code")  # in the names of fields that are never shown again


def is_page(request: Request) -> bool:
    """Return whether a request is for a page that is served here, or part of the way to one, as its route has said."""
    leads_to_page = _in_area(request) or getattr(request.state, "leads_to_page", False)
    return leads_to_page and not request.state.settings.pages_url


def _in_area(request: Request) -> bool:
    path = request.scope["path"]
    return path == PATH or path.startswith(f"{PATH}/") or is_admin_page(path)


async def problem_page(request: Request, problem: Problem) -> Response:
    """Render a problem as a page: the form again if it can be corrected, or a page of its own.

    Without a session, the page leads to the sign-in, which leads back.
    """
    form = request.scope["path"].removeprefix(PATH)
    await find_viewer(request, problem)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        leads_back = request.method == "GET" and _in_area(request) and PAGE.fullmatch(form)
        return redirect("/sign-in", next=form if leads_back else None)
    if problem.detail == "MFA_REQUIRED":
        return ask_for_second_factor(problem.mfa_token or "", await sent_texts(request))
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
        repeats = problem.is_server_error or problem.detail in REPEATABLE
        page = render_result(request, problem_result(problem, message), problem.status, repeats=repeats)
    for name in ("Retry-After", "Allow", "Connection"):
        if name in problem.headers:
            page.headers[name] = problem.headers[name]
    return page


def _can_be_corrected(problem: Problem) -> bool:
    return not problem.is_server_error and problem.detail not in {*UNREADABLE, *DEAD_LINKS, *NOT_ADMITTED}


async def _render_form_again(request: Request, form: str, problem: Problem, message: str) -> HTMLResponse:
    if not hasattr(request.state, "form"):
        sent = await sent_texts(request)
        request.state.form = {name: value for name, value in sent.items() if not any(each in name for each in SECRETS)}
    fields = field_messages(request_language(request), problem, request.state.settings.password_min_length)
    return render_page(request, form, problem.status, failure=Failure(message, fields))
