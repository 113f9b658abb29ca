"""The page of one user: all that concerns the account, with links to what can be done about it."""

import uuid
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.paths import ADMIN
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page, request_language
from accounts.api.admin_pages.event_rows import event_rows
from accounts.api.admin_pages.mail_words import mail_words
from accounts.api.admin_pages.user_action_table import ACTIONS
from accounts.api.authentication import CurrentSession
from accounts.api.dependencies import (
    DbDep,
    ExternalIdentityDep,
    FactorManagerDep,
    GroupManagerDep,
    PasskeyManagerDep,
    UserManagerDep,
    UserSupportDep,
)
from accounts.api.rate_limits import limit_by_account
from accounts.domain import errors
from accounts.domain.audit.history import list_events_of
from accounts.domain.audit.subjects import load_subjects
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.mail.recipients import list_mails_to
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import Purpose
from accounts.schemas.groups import OwnGroupQuery
from accounts.schemas.pagination import PageQuery
from accounts.translations import N_
from accounts.user_agent import describe_user_agent

router = APIRouter(prefix=ADMIN)
DONE = {
    "key-revoked": N_("The access token was revoked."),
    "link-sent": N_("The link will be sent by email in a moment."),
}
EVENTS = PageQuery(limit=20)
SESSIONS_SHOWN = 100


class LinkForm(BaseModel):
    """What the mailed link is for."""

    purpose: Literal[Purpose.VERIFY, Purpose.RESET]


class SessionForm(BaseModel):
    """The session to end."""

    session: uuid.UUID


@router.get("/users/{user_id:uuid}")
async def user_page(
    request: Request,
    user_id: uuid.UUID,
    current: CurrentSession,
    db: DbDep,
    users: UserManagerDep,
    groups: GroupManagerDep,
    factors: FactorManagerDep,
    passkeys: PasskeyManagerDep,
    identities: ExternalIdentityDep,
    support: UserSupportDep,
    query: Annotated[OwnGroupQuery, Query()],
) -> Response:
    """Show a user. The number of statements is the same for each."""
    user, gettext = await users.get(user_id), request_language(request).gettext
    events = (await list_events_of(db, EVENTS, user)).rows
    return render_page(
        request,
        "admin/user",
        user=user,
        has_password=user.hashed_password != UNUSABLE,
        actions={name: action for name, action in ACTIONS.items() if action.applies(user)},
        groups=await groups.of_user(user, query),
        sessions=await support.sessions.list(user, SESSIONS_SHOWN),
        sessions_shown=SESSIONS_SHOWN,
        current=current.id,
        factors=await factors.overview(user),
        passkeys=await passkeys.list(user),
        identities=await identities.list(user),
        keys=await support.keys.list(user),
        event_rows=event_rows(events, await load_subjects(db, events), gettext),
        mails=await list_mails_to(db, user),
        device=partial(describe_user_agent, gettext=gettext),
        **mail_words(),
    )


@router.post("/users/{user_id:uuid}/links", dependencies=[limit_by_account(Attempt.MAIL_OTHERS)])
async def send_link(
    user_id: uuid.UUID,
    form: Annotated[LinkForm, Form()],
    users: UserManagerDep,
    support: UserSupportDep,
) -> Response:
    """Mail a link to the user, if it would work. It counts as mail of the superuser, and the mailbox has a limit.

    The user's own requests, which others can send as well, do not count.
    """
    user, page = await users.get(user_id), f"{ADMIN}/users/{user_id}"
    if not user.is_active or (user.is_verified and form.purpose is Purpose.VERIFY):
        return redirect(page)
    await support.send_link(user, form.purpose)
    return redirect(page, done="link-sent")


@router.post("/users/{user_id:uuid}/sessions")
async def end_session(
    request: Request,
    user_id: uuid.UUID,
    form: Annotated[SessionForm, Form()],
    current: CurrentSession,
    users: UserManagerDep,
    support: UserSupportDep,
) -> Response:
    """End one session of the user."""
    page = request.state.next_page = f"{ADMIN}/users/{user_id}"
    await support.end_session(await users.get(user_id), form.session, current)
    return redirect(page, done="session-ended")


@router.get("/users/{user_id:uuid}/keys/{token_id:uuid}")
async def key_page(
    request: Request,
    user_id: uuid.UUID,
    token_id: uuid.UUID,
    current: CurrentSession,
    users: UserManagerDep,
    factors: FactorManagerDep,
    support: UserSupportDep,
) -> Response:
    """Show what happens if an access key is revoked."""
    user = await users.get(user_id)
    key = next((each for each in await support.keys.list(user) if each.id == token_id), None)
    if key is None:
        raise errors.TokenNotFound
    await factors.require_recent(current)
    return render_page(request, "admin/revoke-key", user=user, key=key)


@router.post("/users/{user_id:uuid}/keys/{token_id:uuid}")
async def revoke_key(
    user_id: uuid.UUID,
    token_id: uuid.UUID,
    current: CurrentSession,
    users: UserManagerDep,
    support: UserSupportDep,
) -> Response:
    """Revoke an access key of the user."""
    await support.revoke_key(await users.get(user_id), token_id, current)
    return redirect(f"{ADMIN}/users/{user_id}", done="key-revoked")
