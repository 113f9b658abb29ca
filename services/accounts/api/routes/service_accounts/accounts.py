"""Service accounts: programs that are members of groups. A group's admins manage them."""

import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import ServiceAccountManagerDep
from accounts.api.openapi import problems
from accounts.api.pagination import LINK_HEADER, add_link_header
from accounts.api.routes.groups.groups import GROUP_CHANGE_ERRORS, GROUP_ERRORS, GroupId
from accounts.domain import errors
from accounts.schemas.pagination import PageQuery
from accounts.schemas.service_accounts import ServiceAccountCreate, ServiceAccountRead, ServiceAccountUpdate

PREFIX = "/user-groups/{group_id}/service-accounts"
ACCOUNT_CHANGE_ERRORS = (*GROUP_CHANGE_ERRORS, errors.ServiceAccountNotFound)
router = APIRouter(prefix=PREFIX, tags=["service accounts"])


@router.get(
    "", summary="List a group's service accounts", responses=LINK_HEADER | problems(*GROUP_ERRORS, errors.BadCursor)
)
async def list_service_accounts(
    group_id: GroupId,
    request: Request,
    response: Response,
    user: CurrentUser,
    service_accounts: ServiceAccountManagerDep,
    query: Annotated[PageQuery, Query()],
) -> Sequence[ServiceAccountRead]:
    """List the service accounts that the group owns, the oldest first. Requires the admin role."""
    page = await service_accounts.list(group_id, user, query)
    add_link_header(request, response, page)
    return page.rows


@router.post(
    "",
    summary="Create a service account",
    status_code=HTTPStatus.CREATED,
    responses=problems(*GROUP_CHANGE_ERRORS, errors.TooManyServiceAccounts),
)
async def create_service_account(
    group_id: GroupId, body: ServiceAccountCreate, user: CurrentUser, service_accounts: ServiceAccountManagerDep
) -> ServiceAccountRead:
    """Create a service account, which becomes a member of the group. Requires the admin role.

    It belongs to the group, and stays when you leave. Create a secret next: without one it can do nothing. Its role is
    changed like that of any member. It can be a member of other groups, if a superuser adds it, but own none.
    """
    return await service_accounts.create(group_id, body, user)


@router.patch("/{account_id:uuid}", summary="Rename a service account", responses=problems(*ACCOUNT_CHANGE_ERRORS))
async def update_service_account(
    group_id: GroupId,
    account_id: uuid.UUID,
    body: ServiceAccountUpdate,
    user: CurrentUser,
    service_accounts: ServiceAccountManagerDep,
) -> ServiceAccountRead:
    """Update the fields in the body. Requires the admin role."""
    return await service_accounts.update(group_id, account_id, body, user)


@router.delete(
    "/{account_id:uuid}",
    summary="Delete a service account",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*ACCOUNT_CHANGE_ERRORS),
)
async def delete_service_account(
    group_id: GroupId, account_id: uuid.UUID, user: CurrentUser, service_accounts: ServiceAccountManagerDep
) -> None:
    """Delete a service account with its memberships and secrets. Its tokens end at once. Requires the admin role."""
    await service_accounts.delete(group_id, account_id, user)
