"""The callers of OAuth 2.0's endpoints for services."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import OAuth2PasswordBearer

from accounts.api.callers import admit, find_by_bearer
from accounts.api.client_authentication import parse_basic
from accounts.api.dependencies import DbDep, SessionManagerDep
from accounts.domain.service_accounts.tokens import authenticate_client

BEARER = OAuth2PasswordBearer("auth/jwt/login", auto_error=False)


async def authenticate_caller(
    request: Request, db: DbDep, sessions: SessionManagerDep, token: Annotated[str | None, Depends(BEARER)]
) -> None:
    """Require a bearer token, or the id and secret of a service account, that suffices for the route.

    Cookies are not for services.

    Raises:
        HTTPException: 401, without a usable token.
        InvalidClient: the id and secret, by HTTP Basic, are not usable.
        InsufficientScope: see ``admit``.

    """
    await db.begin_autocommit()
    header = request.headers.get("authorization", "")
    if header[:6].lower() == "basic ":
        admit(request, db, *await authenticate_client(db, *parse_basic(header)))
        return
    found = await find_by_bearer(request, sessions, token or "")
    if found is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED)
    admit(request, db, *found)
