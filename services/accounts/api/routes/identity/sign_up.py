"""Sign-up, and verification of the email address."""

from http import HTTPStatus

from fastapi import APIRouter

from accounts.api.dependencies import RegistrationDep, VerificationDep
from accounts.api.openapi import NO_BODY, problems
from accounts.api.rate_limits import RATE_LIMITED, limit_by_client, limit_by_email
from accounts.domain import errors
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import User
from accounts.schemas.identity.auth import EmailInput, RegistrationCompletion, TokenInput
from accounts.schemas.identity.users import RegistrationCreate, UserRead

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/register",
    summary="Sign up",
    status_code=HTTPStatus.CREATED,
    response_model=UserRead,
    dependencies=[limit_by_email(Attempt.REGISTER)],
    responses=problems(
        errors.RegisterInvalidPassword,
        errors.RegisterInvitationRequired,
        errors.RegisterClosed,
        errors.InvitationBadToken,
        errors.InvitationOtherAddress,
        errors.Busy,
        *RATE_LIMITED,
    ),
)
async def register(body: RegistrationCreate, registration: RegistrationDep) -> User:
    """Create an account, and send a token by mail.

    The setting `SIGN_UP` says how. `verified`: the account exists once the token is used at
    `/auth/complete-registration`. `open`: it exists at once, and the token verifies the email at `/auth/verify`.
    `invited` and `closed`: 403 without an invitation, or always.

    With the token of an invitation, the email is verified at once and the user joins the group. If the email has an
    account already, the response looks the same, with a random id, and its owner is notified by mail. Passwords must be
    long enough and not among the common ones; there are no rules on their characters.
    """
    return await registration.register(body)


@router.post(
    "/complete-registration",
    summary="Complete a sign-up",
    status_code=HTTPStatus.CREATED,
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(
        errors.RegisterBadToken,
        errors.RegisterInvalidPassword,
        errors.RegisterUserAlreadyExists,
        errors.Busy,
        *RATE_LIMITED,
    ),
)
async def complete_registration(body: RegistrationCompletion, registration: RegistrationDep) -> User:
    """Create the account of a mailed token, with a verified email. A refused password leaves the token valid."""
    return await registration.complete(body)


@router.post(
    "/request-verify-token",
    summary="Request a verification token",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[limit_by_email(Attempt.REQUEST_VERIFY)],
    responses={HTTPStatus.ACCEPTED: NO_BODY} | problems(*RATE_LIMITED),
)
async def request_verify_token(body: EmailInput, verification: VerificationDep) -> None:
    """Send a verification token if an active, unverified user has this email. The response is always the same."""
    await verification.request(body.email)


@router.post(
    "/verify",
    summary="Verify an email",
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(errors.VerifyUserBadToken, *RATE_LIMITED),
)
async def verify(body: TokenInput, verification: VerificationDep) -> User:
    """Mark the email as verified with a verification token."""
    return await verification.verify(body.token)
