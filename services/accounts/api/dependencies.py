"""What routes ask for: the transaction and the managers.

All of it is async, also what waits for nothing: FastAPI sends every other dependency through a thread.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, TypedDict

from fastapi import Depends, Request

from accounts.api.middleware.csrf import SAFE_METHODS
from accounts.db.engine import Connect
from accounts.db.session import Session, Sessionmaker, transaction
from accounts.domain.groups.groups import GroupManager
from accounts.domain.groups.members import MemberManager
from accounts.domain.identity.password_hashing import Passwords
from accounts.domain.identity.users import UserManager
from accounts.domain.invitations.answering import AnswerManager
from accounts.domain.invitations.sending import InvitationManager
from accounts.domain.sessions.access_tokens import KeyRing
from accounts.domain.sessions.sessions import SessionManager
from accounts.settings import Settings


class State(TypedDict):
    """What the lifespan makes once and every request reaches as ``request.state``."""

    settings: Settings
    sessionmaker: Sessionmaker
    reader: Sessionmaker
    connect: Connect
    passwords: Passwords
    keys: KeyRing


async def get_session(request: Request) -> AsyncIterator[Session]:
    """Open the request's one transaction. Only ``SessionDep`` may ask for it: another scope would open a second one.

    A safe method (RFC 9110, 9.2.1) reads, and needs none: each of its statements stands by itself.
    """
    sessionmaker = request.state.reader if request.method in SAFE_METHODS else request.state.sessionmaker
    address = request.client.host if request.client else ""
    user_agent = request.headers.get("user-agent", "")
    languages = request.headers.get("accept-language", "")
    async with transaction(sessionmaker, address=address, user_agent=user_agent, languages=languages) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session, scope="function")]


async def get_user_manager(request: Request, session: SessionDep) -> UserManager:
    """Make the manager of users for one request."""
    settings: Settings = request.state.settings
    recent = timedelta(seconds=settings.recent_seconds)
    return UserManager(session, request.state.passwords, settings.secret_keys[0], recent)


async def get_group_manager(session: SessionDep) -> GroupManager:
    """Make the manager of groups for one request."""
    return GroupManager(session)


async def get_member_manager(session: SessionDep) -> MemberManager:
    """Make the manager of memberships for one request."""
    return MemberManager(session)


async def get_invitation_manager(request: Request, session: SessionDep) -> InvitationManager:
    """Make the manager of invitations for one request."""
    return InvitationManager(session, request.state.settings.secret_keys[0])


async def get_answer_manager(session: SessionDep) -> AnswerManager:
    """Make the manager of answers to invitations for one request."""
    return AnswerManager(session)


async def get_session_manager(request: Request, session: SessionDep) -> SessionManager:
    """Make the manager of sessions for one request."""
    return SessionManager(session, request.state.settings)


SessionManagerDep = Annotated[SessionManager, Depends(get_session_manager)]
UserManagerDep = Annotated[UserManager, Depends(get_user_manager)]
GroupManagerDep = Annotated[GroupManager, Depends(get_group_manager)]
MemberManagerDep = Annotated[MemberManager, Depends(get_member_manager)]
InvitationManagerDep = Annotated[InvitationManager, Depends(get_invitation_manager)]
AnswerManagerDep = Annotated[AnswerManager, Depends(get_answer_manager)]
