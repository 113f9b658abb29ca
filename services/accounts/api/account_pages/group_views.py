"""What the pages of one group share: the group as the viewer sees it, what the viewer may do, and roles in words."""

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
from accounts.domain.groups.permissions import Permission, Standing
from accounts.models import Role, User
from accounts.translations import N_

ROLE_NAMES = {Role.OWNER: N_("Owner"), Role.ADMIN: N_("Admin"), Role.MEMBER: N_("Member")}
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
        "role_names": ROLE_NAMES,
        "role_rights": ROLE_RIGHTS,
    }


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
