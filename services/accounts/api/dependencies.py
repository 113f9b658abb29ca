"""Dependencies of routes: the request's transaction and the managers.

All of them are async, even where nothing is awaited: FastAPI runs synchronous dependencies in a thread.
"""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, TypedDict

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from accounts.api.http_methods import SAFE_METHODS
from accounts.api.languages import accepted_languages
from accounts.api.session_cookie import cookie_header
from accounts.db.engine import ConnectDriver
from accounts.db.replica import Replica
from accounts.db.session import RequestContext, Session, Sessionmaker, transaction
from accounts.domain.bulk import BulkWork
from accounts.domain.client_network import canonical, network, site
from accounts.domain.external_providers.providers import Providers
from accounts.domain.external_sign_in.authorization import AuthorizationManager
from accounts.domain.external_sign_in.identities import ExternalIdentityManager
from accounts.domain.external_sign_in.linking import AccountLinker
from accounts.domain.groups.groups import GroupManager
from accounts.domain.groups.members import MemberManager
from accounts.domain.groups.succession import SuccessionManager
from accounts.domain.identity.email_change import EmailChangeManager
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.password_reset import PasswordResetManager
from accounts.domain.identity.personal_tokens import PersonalTokenManager
from accounts.domain.identity.sign_in import SignInManager
from accounts.domain.identity.user_support import UserSupportManager
from accounts.domain.identity.users import UserManager
from accounts.domain.identity.verification import VerificationManager
from accounts.domain.invitations.answering import OwnInvitationManager
from accounts.domain.invitations.sending import InvitationManager
from accounts.domain.mailed_codes.sign_in import MailedCodeManager
from accounts.domain.passkeys.passkeys import PasskeyManager
from accounts.domain.passkeys.sign_in import PasskeySignInManager
from accounts.domain.rate_limits.counting import check_rate_limit
from accounts.domain.rate_limits.gcra import Allowance
from accounts.domain.rate_limits.rules import Attempt
from accounts.domain.registration import RegistrationManager
from accounts.domain.second_factors.factors import FactorManager
from accounts.domain.second_factors.proofs import SecondFactorManager
from accounts.domain.service_accounts.accounts import ServiceAccountManager
from accounts.domain.service_accounts.secrets import SecretManager
from accounts.domain.sessions.access_tokens import KeyRing
from accounts.domain.sessions.sessions import SessionManager
from accounts.domain.totp.enrolment import TotpManager
from accounts.models.sessions import ADDRESS_LENGTH, USER_AGENT_LENGTH
from accounts.settings import Settings


class State(TypedDict):
    """The resources that the lifespan creates once; every request has them as ``request.state``."""

    settings: Settings
    sessionmaker: Sessionmaker
    reader: Sessionmaker
    bulk: BulkWork
    connect: ConnectDriver
    replica: Replica
    passwords: PasswordHasher
    keys: KeyRing
    providers: Providers


def client_ip(request: Request) -> str:
    """Return the client's IP address in its one form, or an empty string if the server listens on a socket file."""
    return canonical(request.client.host) if request.client else ""


async def count_attempt(
    request: Request, attempt: Attempt, email: str = "", account: str = "", cost: int = 1
) -> Allowance:
    """Count an attempt of the request's client; see ``check_rate_limit``."""
    scale = request.state.settings.limit_scale
    return await check_rate_limit(
        request.state.connect, attempt, client_ip(request), email, account=account, cost=cost, scale=scale
    )


def request_context(request: Request) -> RequestContext:
    """Return the client's data for sessions and audit events, in printable characters, cut to the columns' lengths."""
    return RequestContext(
        client_ip=_printable(client_ip(request), ADDRESS_LENGTH),
        user_agent=_printable(request.headers.get("user-agent", ""), USER_AGENT_LENGTH),
        accept_language=accepted_languages(request),
    )


def _printable(text: str, length: int) -> str:
    return "".join(filter(str.isprintable, text))[:length]


async def begin_writing(request: Request) -> None:
    """Have a route write in spite of its method: other sites send users back with GET. It comes before ``DbDep``."""
    request.state.writes = True


async def get_db(request: Request) -> AsyncIterator[Session]:
    """Open the request's transaction. Depend on ``DbDep`` only: another scope would open a second one.

    Safe methods (RFC 9110, 9.2.1) run in autocommit: each statement is its own transaction. But see ``begin_writing``.
    After the commit, the response sets the session's new cookie if there is one, whatever the route returns.
    """
    reads = request.method in SAFE_METHODS and not hasattr(request.state, "writes")
    sessionmaker = request.state.reader if reads else request.state.sessionmaker
    async with transaction(sessionmaker, request_context(request)) as db:
        yield db
    if db.new_cookie:
        request.state.more_headers = [cookie_header(db.new_cookie)]


DbDep = Annotated[Session, Depends(get_db, scope="function")]


def passwords(request: Request) -> PasswordHasher:
    """Return the hasher for a request: its client and user are counted, and have a share of the queue."""
    hasher: PasswordHasher = request.state.passwords
    return hasher.for_request(partial(_admit_hash, request))


async def _admit_hash(request: Request) -> tuple[str, ...]:
    account = str(request.state.claims.user_id) if hasattr(request.state, "claims") else ""
    if not hasattr(request.state, "counted"):  # by the route's own rule
        await count_attempt(request, Attempt.PASSWORD, account=account)
    return site(client_ip(request)) or network(client_ip(request)), account


def _manager(create: Callable[[Session, Request], object]) -> Dependency:
    """Return the dependency on a manager, which ``create`` builds from the transaction and the request."""

    async def get_manager(request: Request, db: DbDep) -> object:
        return create(db, request)

    dependency: Dependency = Depends(get_manager)
    return dependency


UserManagerDep = Annotated[
    UserManager, _manager(lambda db, request: UserManager(db, passwords(request), request.state.settings))
]
UserSupportDep = Annotated[
    UserSupportManager,
    _manager(lambda db, request: UserSupportManager(db, passwords(request), request.state.settings)),
]
RegistrationDep = Annotated[
    RegistrationManager,
    _manager(lambda db, request: RegistrationManager(db, passwords(request), request.state.settings)),
]
SignInDep = Annotated[SignInManager, _manager(lambda db, request: SignInManager(db, passwords(request)))]
VerificationDep = Annotated[
    VerificationManager, _manager(lambda db, request: VerificationManager(db, request.state.settings))
]
PasswordResetDep = Annotated[
    PasswordResetManager,
    _manager(lambda db, request: PasswordResetManager(db, passwords(request), request.state.settings)),
]
EmailChangeDep = Annotated[
    EmailChangeManager, _manager(lambda db, request: EmailChangeManager(db, request.state.settings))
]
PersonalTokenManagerDep = Annotated[
    PersonalTokenManager,
    _manager(lambda db, request: PersonalTokenManager(db, passwords(request), request.state.settings)),
]
SessionManagerDep = Annotated[SessionManager, _manager(lambda db, request: SessionManager(db, request.state.settings))]
MailedCodeDep = Annotated[
    MailedCodeManager, _manager(lambda db, request: MailedCodeManager(db, request.state.settings))
]
SecondFactorDep = Annotated[
    SecondFactorManager,
    _manager(lambda db, request: SecondFactorManager(db, passwords(request), request.state.settings)),
]
FactorManagerDep = Annotated[
    FactorManager, _manager(lambda db, request: FactorManager(db, passwords(request), request.state.settings))
]
TotpManagerDep = Annotated[
    TotpManager, _manager(lambda db, request: TotpManager(db, passwords(request), request.state.settings))
]
PasskeyManagerDep = Annotated[
    PasskeyManager, _manager(lambda db, request: PasskeyManager(db, passwords(request), request.state.settings))
]
PasskeySignInDep = Annotated[
    PasskeySignInManager, _manager(lambda db, request: PasskeySignInManager(db, request.state.settings))
]
AuthorizationDep = Annotated[
    AuthorizationManager, _manager(lambda db, request: AuthorizationManager(db, request.state.settings.public_url))
]
AccountLinkerDep = Annotated[AccountLinker, _manager(lambda db, request: AccountLinker(db, request.state.settings))]
ExternalIdentityDep = Annotated[
    ExternalIdentityManager,
    _manager(lambda db, request: ExternalIdentityManager(db, passwords(request), request.state.settings)),
]
GroupManagerDep = Annotated[GroupManager, _manager(lambda db, _: GroupManager(db))]
MemberManagerDep = Annotated[MemberManager, _manager(lambda db, _: MemberManager(db))]
SuccessionDep = Annotated[SuccessionManager, _manager(lambda db, _: SuccessionManager(db))]
InvitationManagerDep = Annotated[
    InvitationManager, _manager(lambda db, request: InvitationManager(db, request.state.settings.secret_keys[0]))
]
ServiceAccountManagerDep = Annotated[ServiceAccountManager, _manager(lambda db, _: ServiceAccountManager(db))]
SecretManagerDep = Annotated[
    SecretManager, _manager(lambda db, request: SecretManager(db, passwords(request), request.state.settings))
]
OwnInvitationManagerDep = Annotated[OwnInvitationManager, _manager(lambda db, _: OwnInvitationManager(db))]
