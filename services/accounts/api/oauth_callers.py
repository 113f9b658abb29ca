"""The callers of OAuth 2.0's endpoints for services."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import OAuth2PasswordBearer

from accounts.api.callers import admit, find_by_bearer
from accounts.api.dependencies import DbDep, SessionManagerDep

BEARER = OAuth2PasswordBearer("auth/jwt/login", auto_error=False)


async def authenticate_caller(
    request: Request, db: DbDep, sessions: SessionManagerDep, token: Annotated[str | None, Depends(BEARER)]
) -> None:
    """Require a bearer token that suffices for the route. Cookies are not for services.

    Raises:
        HTTPException: 401, without a usable token.
        InsufficientScope: see ``admit``.

    """
    await db.begin_autocommit()
    found = await find_by_bearer(request, sessions, token or "")
    if found is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED)
    admit(request, db, *found)
