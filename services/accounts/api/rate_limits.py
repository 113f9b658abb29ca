"""Rate limits of routes: dependencies that count an attempt before the route does any work.

``limit_by_client`` and ``limit_by_email`` count before the request is validated: invalid ones count, too. Routes that
know the email only later depend on a ``…LimitDep`` and call it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Form, Request, Response
from fastapi.params import Depends as Dependency
from pydantic import TypeAdapter

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep, client_ip, count_attempt
from accounts.api.problems import rate_limit_headers
from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.rate_limits import counting, senders
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import User
from accounts.schemas.fields import Username
from accounts.schemas.identity.auth import LoginForm
from accounts.schemas.identity.users import OptionalConfirmation

RATE_LIMITED = (errors.TooManyAttempts,)
USERNAME = TypeAdapter[str](Username)  # as lenient as any field with an email
# Refusals of operations that require `current_password` or a recent sign-in.
REAUTHENTICATION = (errors.BadCurrentPassword, errors.ReauthenticationRequired, errors.Busy, *RATE_LIMITED)
CheckLimit = Callable[..., Awaitable[None]]
CheckSenderLimit = Callable[..., Awaitable[None]]
CheckPasswordLimit = Callable[[User, str | None], Awaitable[None]]
CheckUserLimit = Callable[[User], Awaitable[None]]
ResetAttempts = Callable[[str], Awaitable[None]]


async def counted_headers(request: Request, attempt: Attempt, email: str = "", account: str = "") -> dict[str, str]:
    """Count an attempt, and return the headers that tell the client how many are left."""
    request.state.counted = True
    allowance = await count_attempt(request, attempt, email, account)
    limit = allowance.limit
    return rate_limit_headers(
        limit.attempts, limit.seconds, remaining=allowance.remaining, seconds=allowance.reset_seconds
    )


async def _check(request: Request, response: Response, attempt: Attempt, email: str = "", account: str = "") -> None:
    response.headers.update(await counted_headers(request, attempt, email, account))


def _depends(dependency: Callable[..., object]) -> Dependency:
    # Function scope: what follows a yield belongs to the request's transaction, and fails with it.
    result: Dependency = Depends(dependency, scope="function")
    return result


def limit_by_client(attempt: Attempt) -> Dependency:
    """Limit the attempts of a client."""

    async def check(request: Request, response: Response) -> None:
        await _check(request, response, attempt)

    return _depends(check)


def limit_by_account(attempt: Attempt) -> Dependency:
    """Limit the attempts of a client and of the signed-in user."""

    async def check(request: Request, response: Response, user: CurrentUser, db: DbDep) -> None:
        await db.release_connection()
        await _check(request, response, attempt, account=str(user.id))

    return _depends(check)


def limit_by_email(attempt: Attempt, field: str = "email", *, form: bool = False) -> Dependency:
    """Limit the attempts of a client, and those for the email in a ``field`` of the body, which is JSON or a ``form``.

    Without a valid email there, only the client's attempts are counted.
    """

    async def check(request: Request, response: Response) -> None:
        await _check(request, response, attempt, await _sent_email(request, field, form=form))

    return _depends(check)


async def _sent_email(request: Request, field: str, *, form: bool) -> str:
    """Return the valid email in the body, which FastAPI has read already, or an empty string."""
    try:
        body = await (request.form() if form else request.json())
        return USERNAME.validate_python(body[field])
    except (ValueError, TypeError, LookupError):
        return ""


async def get_login(
    request: Request,
    _: Annotated[None, limit_by_email(Attempt.LOGIN, "username", form=True)],
    form: Annotated[LoginForm, Form()],
    db: DbDep,
) -> AsyncIterator[LoginForm]:
    """Limit sign-ins by client and email. A successful one resets the failed attempts, once it commits.

    A sign-in that is refused as busy is no failed attempt: those who try again must not lock themselves out.
    """
    try:
        yield form
    except errors.Busy:
        scale = request.state.settings.limit_scale
        await counting.refund_sign_in(request.state.connect, client_ip(request), form.username, scale=scale)
        raise
    await counting.reset_failed_attempts(db, client_ip(request), form.username)


async def get_reset_attempts(request: Request, db: DbDep) -> ResetAttempts:
    """Return a function that resets the failed sign-ins for an email that was proven by other means."""

    async def reset(email: str) -> None:
        await counting.reset_failed_attempts(db, client_ip(request), email)

    return reset


def _mail_limit(attempt: Attempt) -> Dependency:
    """Limit the mail that a client can cause, and that an email receives if its rule counts that."""

    async def get_check(request: Request, response: Response, db: DbDep) -> CheckLimit:
        async def check(email: str = "") -> None:
            await db.release_connection()
            await _check(request, response, attempt, email)

        return check

    return _depends(get_check)


async def get_password_limit(request: Request, response: Response, db: DbDep) -> CheckPasswordLimit:
    """Return a function that counts a check of a user's current password as a sign-in attempt."""

    async def check(user: User, password: str | None) -> None:
        if password is not None:
            await db.release_connection()
            await _check(request, response, Attempt.LOGIN, user.email)

    return check


async def get_second_factor_limit(request: Request, response: Response, db: DbDep) -> CheckUserLimit:
    """Return a function that counts an attempt to prove a user's second factor."""

    async def check(user: User) -> None:
        await db.release_connection()
        await _check(request, response, Attempt.SECOND_FACTOR, account=str(user.id))

    return check


def mails_allowed(request: Request, db: Session, user: User) -> int | None:
    """Return how many mails a user may cause others to get in a day, or None for superusers: any number."""
    return senders.mails_allowed(db, user, request.state.settings.limit_scale)


async def get_sender_limit(request: Request, db: DbDep) -> CheckSenderLimit:
    """Return a function that counts mails that a user causes others to get. Those of superusers are not counted."""

    async def check(user: User, mails: int = 1, *, count: bool = True) -> None:
        if senders.must_count(db, user, mails, request.state.settings.limit_scale) and count:
            await db.release_connection()
            await count_attempt(request, Attempt.MAIL_OTHERS, account=str(user.id), cost=mails)

    return check


LoginFormDep = Annotated[LoginForm, _depends(get_login)]
InvitationLimitDep = Annotated[CheckLimit, _mail_limit(Attempt.INVITE)]
EmailChangeLimitDep = Annotated[CheckLimit, _mail_limit(Attempt.CHANGE_EMAIL)]
VerificationLimitDep = Annotated[CheckLimit, _mail_limit(Attempt.REQUEST_VERIFY)]
CodeRequestLimitDep = Annotated[CheckLimit, _mail_limit(Attempt.CODE_REQUEST)]
SenderLimitDep = Annotated[CheckSenderLimit, _depends(get_sender_limit)]
PasswordLimitDep = Annotated[CheckPasswordLimit, _depends(get_password_limit)]
SecondFactorLimitDep = Annotated[CheckUserLimit, _depends(get_second_factor_limit)]
ResetAttemptsDep = Annotated[ResetAttempts, _depends(get_reset_attempts)]


async def get_confirmed_password(
    user: CurrentUser, check: PasswordLimitDep, confirmation: OptionalConfirmation = None
) -> str | None:
    """Return the current password in the body, if there is one. It is counted as a sign-in attempt."""
    password = confirmation.current_password if confirmation else None
    await check(user, password)
    return password


ConfirmedPassword = Annotated[str | None, _depends(get_confirmed_password)]
