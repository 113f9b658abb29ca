"""The audit log: all of it for superusers, and each user's own activity."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from accounts.api.authentication import CurrentUser, current_superuser
from accounts.api.dependencies import DbDep
from accounts.api.openapi import AUTHENTICATED, SUPERUSER, problems
from accounts.api.pagination import LINK_HEADER, add_link_header
from accounts.domain import errors
from accounts.domain.audit import history
from accounts.models import AuditEvent
from accounts.schemas.audit import ActivityRead, AuditQuery, AuditRead
from accounts.schemas.pagination import PageQuery

router = APIRouter(tags=["audit"])


@router.get(
    "/audit",
    summary="List audit events",
    response_model=list[AuditRead],
    dependencies=[Depends(current_superuser)],
    responses=LINK_HEADER | problems(*SUPERUSER, errors.BadCursor),
)
async def list_events(
    request: Request, response: Response, db: DbDep, query: Annotated[AuditQuery, Query()]
) -> Sequence[AuditEvent]:
    """List all events, the newest first. Requires a superuser."""
    page = await history.list_events(db, query)
    add_link_header(request, response, page)
    return page.rows


@router.get(
    "/users/me/activity",
    summary="List my activity",
    response_model=list[ActivityRead],
    responses=LINK_HEADER | problems(*AUTHENTICATED, errors.BadCursor),
)
async def list_activity(
    request: Request,
    response: Response,
    user: CurrentUser,
    db: DbDep,
    query: Annotated[PageQuery, Query()],
) -> Sequence[ActivityRead]:
    """List the actions that you performed or that affected your account, the newest first."""
    page = await history.list_activity(db, query, user)
    add_link_header(request, response, page)
    return page.rows
