"""Sign-in with a refresh token that rotates, and the list of the user's sessions."""

import hashlib
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.security import OAuth2PasswordRequestForm
from fastapi_users.jwt import decode_jwt, generate_jwt
from pydantic import BaseModel
from sqlmodel import col, select, update

from accounts.models import SessionKind, User, UserSession
from accounts.schemas.sessions import SessionRead
from benchmarks.good.database import Db
from benchmarks.good.users import SECONDS, SECRET, UserManagerDep, users

AUDIENCE = ["fastapi-users:auth"]
LIFETIME = timedelta(days=90)
NEWEST_FIRST = (col(UserSession.created_at).desc(), col(UserSession.id).desc())
router = APIRouter(prefix="/auth")


class Tokens(BaseModel):
    """The response of a sign-in and a refresh."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # not a password


def issue(session_id: uuid.UUID, user_id: uuid.UUID, secret: str) -> Tokens:
    """Create the tokens of a session."""
    claims = {"sub": str(user_id), "sid": str(session_id), "aud": AUDIENCE}
    return Tokens(access_token=generate_jwt(claims, SECRET, SECONDS), refresh_token=f"{session_id}.{secret}")


def hashed(secret: str) -> bytes:
    """Return what is stored of a refresh token."""
    return hashlib.sha256(secret.encode()).digest()


@router.post("/jwt/login")
async def login(
    request: Request, form: Annotated[OAuth2PasswordRequestForm, Depends()], manager: UserManagerDep, db: Db
) -> Tokens:
    """Sign in."""
    user = await manager.authenticate(form)
    if user is None or not user.is_active:
        raise HTTPException(400, "LOGIN_BAD_CREDENTIALS")
    secret = secrets.token_urlsafe(32)
    session = UserSession(
        user_id=user.id,
        kind=SessionKind.BEARER,
        token_hash=hashed(secret),
        expires_at=datetime.now(UTC) + LIFETIME,
        user_agent=request.headers.get("user-agent", ""),
        address=request.client.host if request.client else "",
    )
    db.add(session)
    await db.commit()
    return issue(session.id, user.id, secret)


@router.post("/jwt/refresh")
async def refresh(refresh_token: Annotated[str, Form()], db: Db) -> Tokens:
    """Exchange a refresh token for a new one, which ends the old one."""
    session_id, _, used = refresh_token.partition(".")
    secret, now = secrets.token_urlsafe(32), datetime.now(UTC)
    rotate = (
        update(UserSession)
        .where(
            col(UserSession.id) == uuid.UUID(session_id),
            col(UserSession.token_hash) == hashed(used),
            col(UserSession.expires_at) > now,
        )
        .values(token_hash=hashed(secret), rotated_at=now, last_seen_at=now)
        .returning(col(UserSession.id), col(UserSession.user_id))
    )
    row = (await db.exec(rotate)).one_or_none()
    if row is None:
        raise HTTPException(401, "REFRESH_BAD_TOKEN")
    await db.commit()
    return issue(row.id, row.user_id, secret)


@router.get("/sessions", response_model=list[SessionRead])
async def list_sessions(
    user_token: Annotated[tuple[User, str], Depends(users.authenticator.current_user_token(active=True))], db: Db
) -> list[dict[str, Any]]:
    """List the user's sessions, the newest first."""
    user, token = user_token
    current = uuid.UUID(decode_jwt(token, SECRET, AUDIENCE)["sid"])
    columns = [getattr(UserSession, name) for name in SessionRead.model_fields if name != "current"]
    live = select(*columns).where(col(UserSession.user_id) == user.id, col(UserSession.expires_at) > datetime.now(UTC))
    rows = (await db.exec(live.order_by(*NEWEST_FIRST))).mappings()
    return [{**row, "current": row["id"] == current} for row in rows]
