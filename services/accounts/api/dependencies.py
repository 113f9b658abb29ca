"""Dependencies of routes: the request's transaction and the managers.

All of them are async, even where nothing is awaited: FastAPI runs synchronous dependencies in a thread.
"""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypedDict

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from accounts.api.middleware.csrf import SAFE_METHODS
from accounts.db.engine import ConnectDriver
from accounts.db.session import RequestContext, Session, Sessionmaker, transaction
from accounts.domain.groups.groups import GroupManager
from accounts.domain.groups.members import MemberManager
from accounts.domain.identity.email_change import EmailChangeManager
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.password_reset import PasswordResetManager
from accounts.domain.identity.sign_in import SignInManager
from accounts.domain.identity.users import UserManager
from accounts.domain.identity.verification import VerificationManager
from accounts.domain.invitations.answering import OwnInvitationManager
from accounts.domain.invitations.sending import InvitationManager
from accounts.domain.registration import RegistrationManager
from accounts.domain.sessions.access_tokens import KeyRing
from accounts.domain.sessions.sessions import SessionManager
from accounts.models.sessions import ADDRESS_LENGTH, USER_AGENT_LENGTH
from accounts.settings import Settings


class State(TypedDict):
    """The resources that the lifespan creates once; every request has them as ``request.state``."""

    settings: Settings
    sessionmaker: Sessionmaker
    reader: Sessionmaker
    connect: ConnectDriver
    passwords: PasswordHasher
    keys: KeyRing


def client_ip(request: Request) -> str:
    """Return the client's IP address, or an empty string if the server listens on a socket file."""
    return request.client.host if request.client else ""


def request_context(request: Request) -> RequestContext:
    """Return the client's data for sessions and audit events, in printable characters, cut to the columns' lengths."""
    return RequestContext(
        client_ip=_printable(client_ip(request), ADDRESS_LENGTH),
        user_agent=_printable(request.headers.get("user-agent", ""), USER_AGENT_LENGTH),
        accept_language=request.headers.get("accept-language", ""),
    )


def _printable(text: str, length: int) -> str:
    return "".join(filter(str.isprintable, text))[:length]


async def get_db(request: Request) -> AsyncIterator[Session]:
    """Open the request's transaction. Depend on ``DbDep`` only: another scope would open a second one.

    Safe methods (RFC 9110, 9.2.1) run in autocommit: each statement is its own transaction.
    """
    sessionmaker = request.state.reader if request.method in SAFE_METHODS else request.state.sessionmaker
    async with transaction(sessionmaker, request_context(request)) as db:
        yield db


DbDep = Annotated[Session, Depends(get_db, scope="function")]


def _manager(create: Callable[[Session, Any], object]) -> Dependency:
    """Return the dependency on a manager, which ``create`` builds from the transaction and the request's ``State``."""

    async def get_manager(request: Request, db: DbDep) -> object:
        return create(db, request.state)

    dependency: Dependency = Depends(get_manager)
    return dependency


UserManagerDep = Annotated[UserManager, _manager(lambda db, state: UserManager(db, state.passwords, state.settings))]
RegistrationDep = Annotated[
    RegistrationManager, _manager(lambda db, state: RegistrationManager(db, state.passwords, state.settings))
]
SignInDep = Annotated[SignInManager, _manager(lambda db, state: SignInManager(db, state.passwords))]
VerificationDep = Annotated[VerificationManager, _manager(lambda db, state: VerificationManager(db, state.settings))]
PasswordResetDep = Annotated[
    PasswordResetManager, _manager(lambda db, state: PasswordResetManager(db, state.passwords, state.settings))
]
EmailChangeDep = Annotated[EmailChangeManager, _manager(lambda db, state: EmailChangeManager(db, state.settings))]
SessionManagerDep = Annotated[SessionManager, _manager(lambda db, state: SessionManager(db, state.settings))]
GroupManagerDep = Annotated[GroupManager, _manager(lambda db, _: GroupManager(db))]
MemberManagerDep = Annotated[MemberManager, _manager(lambda db, _: MemberManager(db))]
InvitationManagerDep = Annotated[
    InvitationManager, _manager(lambda db, state: InvitationManager(db, state.settings.secret_keys[0]))
]
OwnInvitationManagerDep = Annotated[OwnInvitationManager, _manager(lambda db, _: OwnInvitationManager(db))]
