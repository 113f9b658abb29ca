"""Who may see the pages of the administration."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep
from accounts.domain import errors
from accounts.domain.people import has_superuser_rights
from accounts.models import User


async def require_admin(user: CurrentUser, db: DbDep, request: Request) -> User:
    """Require a superuser. For others the pages do not exist.

    Raises:
        HTTPException: 404, the user is no superuser.
        ReauthenticationRequired: SUPERUSER_AAL requires a second factor, which the user has not proven yet.
        AssuranceRequired: it requires one, and the user has none.

    """
    if not user.is_superuser:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if has_superuser_rights(db, user):
        return user
    if user.second_factors:
        settings = request.state.settings
        raise errors.ReauthenticationRequired(settings.recent_seconds, settings.superuser_aal)
    raise errors.AssuranceRequired


CurrentSuperuser = Annotated[User, Depends(require_admin)]
