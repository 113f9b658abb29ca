"""The signed-in user on pages of problems, which may come before a route has looked for one."""

from fastapi import Request

from accounts.api.callers import CallerSummary
from accounts.api.dependencies import request_context
from accounts.api.problems import Problem
from accounts.api.session_cookie import COOKIE
from accounts.db.errors import DATABASE_ERRORS
from accounts.db.session import transaction
from accounts.domain.sessions.session_token import parse_session_token
from accounts.domain.sessions.sessions import SessionManager


async def find_viewer(request: Request, problem: Problem) -> None:
    """Set ``request.state.viewer`` by the session's cookie: the page has the user's language and navigation.

    Without an answer of the database the page has neither. After an error of the server none is asked for.
    """
    state, token = request.state, parse_session_token(request.cookies.get(COOKIE, ""))
    if token is None or hasattr(state, "viewer") or problem.is_server_error:
        return
    try:
        async with transaction(state.reader, request_context(request)) as db:
            row = await SessionManager(db, state.settings).by_cookie(token)
            if row:
                state.viewer = CallerSummary.of(row[0])
    except DATABASE_ERRORS:
        return
