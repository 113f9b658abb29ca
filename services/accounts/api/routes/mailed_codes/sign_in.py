"""Sign-in without a password, by a code that is mailed to the user (`SIGN_IN_BY_CODE`)."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from accounts.api.dependencies import MailedCodeDep
from accounts.api.openapi import problems
from accounts.api.rate_limits import RATE_LIMITED, limit_by_client, limit_by_email
from accounts.api.started_sessions import StartCookieDep, StartTokensDep
from accounts.domain import errors
from accounts.domain.mailed_codes.sign_in import BY_MAILED_CODE
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.identity.auth import EmailInput, TokenRead
from accounts.schemas.mailed_codes import CodeInput, CodeRequested, CodeSignIn

router = APIRouter(prefix="/auth", tags=["mailed codes"])
REFUSALS = (
    errors.LoginBadCode,
    errors.MfaRequired,
    errors.SignInByCodeDisabled,
    errors.LoginBadCredentials,
    *RATE_LIMITED,
)


@router.post(
    "/code/request",
    summary="Request a code to sign in",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[limit_by_email(Attempt.CODE_REQUEST)],
    responses=problems(errors.SignInByCodeDisabled, *RATE_LIMITED),
)
async def request_code(body: EmailInput, codes: MailedCodeDep, response: Response) -> CodeRequested:
    """Mail a code if an active user has this email. The response is always the same; no account is created.

    The code works once, for ten minutes and five attempts, and only together with the `code_token` of this response.
    """
    response.headers["Cache-Control"] = "no-store"
    return CodeRequested(code_token=await codes.request(body.email))


@router.post(
    "/jwt/code",
    summary="Sign in with a mailed code",
    dependencies=[limit_by_client(Attempt.CODE)],
    responses=problems(*REFUSALS),
)
async def code_sign_in(body: CodeSignIn, codes: MailedCodeDep, start: StartTokensDep) -> TokenRead:
    """Exchange a code, and the token of its request, for an access token and a refresh token.

    It proves the email, so it verifies that of a new user. What was set up before that, such as a password, ends.
    """
    return await start(await codes.authenticate(body.code_token, body.code), BY_MAILED_CODE, body.scopes)


@router.post(
    "/cookie/code",
    summary="Sign in with a mailed code, with a cookie",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    dependencies=[limit_by_client(Attempt.CODE)],
    responses=problems(*REFUSALS, errors.CrossSite),
)
async def cookie_code_sign_in(body: CodeInput, codes: MailedCodeDep, start: StartCookieDep) -> Response:
    """Exchange a code, and the token of its request, for a cookie."""
    return await start(await codes.authenticate(body.code_token, body.code), BY_MAILED_CODE)
