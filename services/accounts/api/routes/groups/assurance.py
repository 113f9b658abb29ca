"""The second factor that a group can require of its members."""

from fastapi import APIRouter

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep
from accounts.api.openapi import problems
from accounts.api.routes.groups.groups import GROUP_ERRORS, GroupId
from accounts.domain.groups.assurance import get_assurance
from accounts.schemas.groups import GroupAssuranceRead

router = APIRouter(prefix="/user-groups/{group_id}", tags=["groups"])


@router.get("/assurance", summary="Count the members without a second factor", responses=problems(*GROUP_ERRORS))
async def read_group_assurance(group_id: GroupId, user: CurrentUser, db: DbDep) -> GroupAssuranceRead:
    """Return how many members cannot use the group, or could not if it required level 2. Requires the admin role.

    `GET /user-groups/{group_id}/users?second_factor=false` lists the users.
    """
    return await get_assurance(db, group_id, user)
