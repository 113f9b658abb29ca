"""The page of one group: what it is, and its members, with search."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BeforeValidator, TypeAdapter
from starlette.responses import Response

from accounts.api.account_pages.group_views import view_group
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep
from accounts.api.routes.groups.groups import GroupId
from accounts.db.session import Session
from accounts.domain.groups.member_list import list_members
from accounts.domain.sessions.caller import FastReader
from accounts.models import Role
from accounts.models.identity import is_service_email
from accounts.schemas.fields import NFC, NFKC, Prefix
from accounts.schemas.groups import MemberQuery, MemberRead
from accounts.schemas.pagination import Page, PageQuery

router = APIRouter(prefix=PATH)
EMAIL_PREFIX = TypeAdapter[str](Annotated[Prefix, NFKC])
EMPTY_IS_NONE = BeforeValidator(lambda value: value or None)  # a form sends all of its fields


def _normalise(text: str | None) -> str | None:
    return EMAIL_PREFIX.validate_python(text) if text and "@" in text else text


class MemberSearch(PageQuery):
    """What the search form sends: the beginning of a name or, with an @, of an email address."""

    q: Annotated[Prefix | None, NFC, AfterValidator(_normalise), EMPTY_IS_NONE] = None
    role: Annotated[Role | None, EMPTY_IS_NONE] = None

    def members(self, *, by_email: bool) -> MemberQuery:
        """Return the filters of the list of members."""
        text = {"email" if by_email and "@" in self.q else "name": self.q} if self.q else {}
        return MemberQuery.model_validate(self.model_dump(include={"limit", "cursor", "role"}) | text)

    @property
    def filters(self) -> dict[str, str]:
        """Return the fields that links to further pages repeat."""
        return {name: value for name, value in (("q", self.q), ("role", self.role)) if value}


@router.get("/groups/{group_id:int}")
async def group_page(
    request: Request, group_id: GroupId, user: CurrentUser, db: DbDep, search: Annotated[MemberSearch, Query()]
) -> Response:
    """Show a group and, to those who may list them, its members."""
    values = await view_group(db, group_id, user)
    members = await _list(request, db, group_id, search, values) if "LIST_MEMBERS" in values["may"] else None
    url = f"{PATH}/groups/{group_id}" + (f"?{urlencode(search.filters)}" if search.filters else "")
    values |= {"members": members, "search": search, "url": url, "has_factor": bool(user.second_factors)}
    return render_page(request, "group", **values)


async def _list(
    request: Request, db: Session, group_id: int, search: MemberSearch, values: Mapping[str, Any]
) -> Page[dict[str, Any]]:
    """List the members as the API does."""
    state = request.state
    await db.release_connection()  # the list takes a connection of its own
    idle = timedelta(seconds=state.settings.session_idle_seconds)
    reader = FastReader(state.connect, state.claims, idle, looked_up=True, caller_level=db.caller_level)
    query = search.members(by_email="SEE_EMAILS" in values["may"])
    page = await list_members(reader, group_id, query)
    return Page(_rows(page.rows, values["may"]), page.next, page.prev, page.last)


def _rows(members: Sequence[str], may: set[str]) -> list[dict[str, Any]]:
    return [_row(MemberRead.model_validate_json(member), may) for member in members]


def _row(member: MemberRead, may: set[str]) -> dict[str, Any]:
    can_change = "CHANGE_ROLES" in may and (member.role is not Role.OWNER or "MANAGE_OWNERS" in may)
    return {"user": member, "is_service": is_service_email(member.email or ""), "can_change": can_change}
