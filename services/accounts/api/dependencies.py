"""What routes ask for: the transaction and the managers.

All of it is async, also what waits for nothing: FastAPI sends every other dependency through a thread.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, TypedDict

from fastapi import Depends, Request

from accounts.api.middleware.csrf import SAFE_METHODS
from accounts.db.engine import ConnectDriver
from accounts.db.session import RequestContext, Session, Sessionmaker, transaction
from accounts.domain.groups.groups import GroupManager
from accounts.domain.groups.members import MemberManager
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.users import UserManager
from accounts.domain.invitations.answering import OwnInvitationManager
from accounts.domain.invitations.sending import InvitationManager
from accounts.domain.sessions.access_tokens import KeyRing
from accounts.domain.sessions.sessions import SessionManager
from accounts.models.sessions import ADDRESS_LENGTH, USER_AGENT_LENGTH
from accounts.settings import Settings


class State(TypedDict):
    """What the lifespan makes once and every request reaches as ``request.state``."""

    settings: Settings
    sessionmaker: Sessionmaker
    reader: Sessionmaker
    connect: ConnectDriver
    passwords: PasswordHasher
    keys: KeyRing


def request_context(request: Request) -> RequestContext:
    """Read what sessions and events store about a client, without control characters and cut to the column."""
    return RequestContext(
        client_ip=_printable(request.client.host if request.client else "", ADDRESS_LENGTH),
        user_agent=_printable(request.headers.get("user-agent", ""), USER_AGENT_LENGTH),
        accept_language=request.headers.get("accept-language", ""),
    )


def _printable(text: str, length: int) -> str:
    return "".join(filter(str.isprintable, text))[:length]


async def get_db(request: Request) -> AsyncIterator[Session]:
    """Open the request's one transaction. Depend on ``DbDep`` only: with another scope there would be a second one.

    Safe methods (RFC 9110, 9.2.1) run in autocommit: each statement is a transaction of its own.
    """
    sessionmaker = request.state.reader if request.method in SAFE_METHODS else request.state.sessionmaker
    async with transaction(sessionmaker, request_context(request)) as db:
        yield db


DbDep = Annotated[Session, Depends(get_db, scope="function")]


async def get_user_manager(request: Request, db: DbDep) -> UserManager:
    """Make the manager of users for one request."""
    settings: Settings = request.state.settings
    recent = timedelta(seconds=settings.recent_seconds)
    return UserManager(db, request.state.passwords, settings.secret_keys[0], recent)


async def get_group_manager(db: DbDep) -> GroupManager:
    """Make the manager of groups for one request."""
    return GroupManager(db)


async def get_member_manager(db: DbDep) -> MemberManager:
    """Make the manager of memberships for one request."""
    return MemberManager(db)


async def get_invitation_manager(request: Request, db: DbDep) -> InvitationManager:
    """Make the manager of invitations for one request."""
    return InvitationManager(db, request.state.settings.secret_keys[0])


async def get_own_invitation_manager(db: DbDep) -> OwnInvitationManager:
    """Make the manager of answers to invitations for one request."""
    return OwnInvitationManager(db)


async def get_session_manager(request: Request, db: DbDep) -> SessionManager:
    """Make the manager of sessions for one request."""
    return SessionManager(db, request.state.settings)


SessionManagerDep = Annotated[SessionManager, Depends(get_session_manager)]
UserManagerDep = Annotated[UserManager, Depends(get_user_manager)]
GroupManagerDep = Annotated[GroupManager, Depends(get_group_manager)]
MemberManagerDep = Annotated[MemberManager, Depends(get_member_manager)]
InvitationManagerDep = Annotated[InvitationManager, Depends(get_invitation_manager)]
OwnInvitationManagerDep = Annotated[OwnInvitationManager, Depends(get_own_invitation_manager)]
