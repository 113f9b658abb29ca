"""What the pages of one group share: the group and its members as the viewer sees them, and what each role may do."""

from typing import Any

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from accounts.api.account_pages.forms import show_form_again
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep
from accounts.api.routes.groups.groups import GroupId
from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.groups.access import get_access, to_group_read
from accounts.domain.groups.member_list import list_members
from accounts.domain.groups.permissions import Permission, Standing
from accounts.domain.sessions.caller import FastReader
from accounts.models import Role, User
from accounts.schemas.groups import MemberQuery, MemberRead
from accounts.schemas.pagination import Page
from accounts.translations import N_

ROLE_RIGHTS = {
    Role.OWNER: N_(
        "May do what admins may, and also manage owners, change who can see the group, require a second factor, hand "
        "the group over, and delete it."
    ),
    Role.ADMIN: N_(
        "May change the name and the description, invite, import and remove members, and change the roles of members "
        "and admins."
    ),
    Role.MEMBER: N_("May see the group and its members, and leave it."),
}


async def view_group(db: Session, group_id: int, user: User, permission: Permission = Permission.SEE) -> dict[str, Any]:
    """Return the values that the templates of a group's pages need. They stay readable after a rollback.

    Raises:
        GroupNotFound: there is no such group, or the user may not see it.
        GroupForbidden: the user lacks ``permission``.
        AssuranceRequired: the user has it in sessions of level 2 only.

    """
    access = await get_access(db, group_id, user, permission)
    return {
        "group": to_group_read(access.group, access.role),
        "may": {each.name for each in Permission if access.may(each)},
        "needs_second_factor": access.standings.now is Standing.UNPROVEN,
        "role_rights": ROLE_RIGHTS,
    }


async def read_members(request: Request, db: Session, group_id: int, query: MemberQuery) -> Page[MemberRead]:
    """List members as the API does, for the caller who was identified already. It takes a connection of its own."""
    state = request.state
    await db.release_connection()
    idle = state.settings.session_idle
    reader = FastReader(state.connect, state.claims, idle, looked_up=True, caller_level=db.caller_level)
    page = await list_members(reader, group_id, query)
    rows = [MemberRead.model_validate_json(row) for row in page.rows]
    return Page(rows, page.next, page.prev, page.last)


def keep_group(form: str, permission: Permission) -> Dependency:
    """Show a refused form of a group again, to users who have a permission. Others get a page that says why not."""

    async def keep(request: Request, group_id: GroupId, user: CurrentUser, db: DbDep) -> None:
        try:
            values = await view_group(db, group_id, user, permission)
        except errors.Refusal:
            return  # the route's manager refuses, too, after the form has been validated
        show_form_again(request, form, values)

    dependency: Dependency = Depends(keep)
    return dependency
