"""The page of the user's own activity."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from accounts.api.account_pages.events import describe_event
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.render import render_page, request_language
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep, SessionManagerDep
from accounts.domain.audit import history
from accounts.domain.groups.membership import read_names_of_own_groups
from accounts.schemas.audit import PersonalEvent
from accounts.schemas.pagination import PageQuery
from accounts.translations import N_
from accounts.user_agent import Device, describe_user_agent

router = APIRouter(prefix=PATH)
NAV = (NavItem("/activity", N_("Activity"), N_("What happened in your account, and from where.")),)


@router.get("/activity")
async def activity_page(
    request: Request,
    user: CurrentUser,
    db: DbDep,
    sessions: SessionManagerDep,
    query: Annotated[PageQuery, Query()],
) -> Response:
    """Show the events that the user caused or was affected by, the newest first.

    Groups have names while the user belongs to them. Sign-ins have their device, other events while it is signed in.
    """
    gettext = request_language(request).gettext
    page = await history.list_activity(db, query, user)
    groups = await read_names_of_own_groups(db, user, [event.group_id for event in page.rows if event.group_id])
    agents = {str(session.id): session.user_agent for session in await sessions.list(user)}
    signed_in = {session_id: describe_user_agent(agent, gettext) for session_id, agent in agents.items()}

    def device(event: PersonalEvent) -> str | None:
        recorded = Device.recorded(event.detail)
        return recorded.name(gettext) if recorded else signed_in.get(event.detail.get("session_id", ""))

    return render_page(
        request,
        "activity",
        page=page,
        groups=groups,
        device=device,
        describe=describe_event,
        is_first=not query.cursor,
    )
