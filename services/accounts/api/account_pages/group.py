"""The page of one group: what it is, and its members, with search."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, TypeAdapter
from starlette.responses import Response

from accounts.api.account_pages.filters import NOTHING, Filters
from accounts.api.account_pages.forms import BLANK
from accounts.api.account_pages.group_views import read_members, view_group
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep
from accounts.api.routes.groups.groups import GroupId
from accounts.models import Role
from accounts.models.identity import is_service_email
from accounts.schemas.fields import NFC, NFKC, Prefix
from accounts.schemas.groups import MemberQuery, MemberRead
from accounts.schemas.pagination import Page

router = APIRouter(prefix=PATH)
EMAIL_PREFIX = TypeAdapter[str](Annotated[Prefix, NFKC])


def _normalise(text: str | None) -> str | None:
    return EMAIL_PREFIX.validate_python(text) if text and "@" in text else text


class MemberSearch(Filters):
    """What the search form sends: the beginning of a name or, with an @, of an email address."""

    q: Annotated[Prefix | None, NFC, AfterValidator(_normalise), BLANK] = None
    role: Annotated[Role | None, BLANK] = None

    def members(self, *, by_email: bool) -> MemberQuery:
        """Return the filters of the list of members."""
        text = {"email" if by_email and "@" in self.q else "name": self.q} if self.q else {}
        return MemberQuery.model_validate(self.model_dump(include={"limit", "cursor", "role"}) | text)

    @property
    def filters(self) -> dict[str, str]:
        """Return the fields that links to further pages repeat."""
        return {name: value for name, value in (("q", self.q), ("role", self.role)) if value}


@router.get("/groups/{group_id:row}")
async def group_page(
    request: Request, group_id: GroupId, user: CurrentUser, db: DbDep, search: Annotated[MemberSearch, Query()]
) -> Response:
    """Show a group and, to those who may list them, its members."""
    values = await view_group(db, group_id, user)
    members = None
    if "LIST_MEMBERS" in values["may"]:
        query = search.members(by_email="SEE_EMAILS" in values["may"])
        page = NOTHING if search.faults else await read_members(request, db, group_id, query)
        rows = [_row(member, values["may"]) for member in page.rows]
        members = Page(rows, page.next, page.prev, page.last)
    url = f"{PATH}/groups/{group_id}" + (f"?{urlencode(search.filters)}" if search.filters else "")
    values |= {"members": members, "search": search, "url": url, "has_factor": bool(user.second_factors)}
    return render_page(request, "group", search.status, failure=search.failure(request), **values)


def _row(member: MemberRead, may: set[str]) -> dict[str, Any]:
    can_change = "CHANGE_ROLES" in may and (member.role is not Role.OWNER or "MANAGE_OWNERS" in may)
    return {"user": member, "is_service": is_service_email(member.email or ""), "can_change": can_change}
