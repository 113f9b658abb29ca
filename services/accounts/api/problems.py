"""Errors as problem details (RFC 9457): one model for all, and the HTTP status of each refusal of the domain."""

from http import HTTPStatus
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import JSONResponse

from accounts.domain import errors
from accounts.domain.errors import Refusal
from accounts.models import Factor

PROBLEM_JSON = "application/problem+json"
INVALID = "REQUEST_INVALID"  # the code of requests that do not match the schema
Absent = SkipJsonSchema[None]  # for optional members: omitted rather than null

STATUS: dict[type[Refusal], HTTPStatus] = {
    errors.LoginBadCredentials: HTTPStatus.BAD_REQUEST,
    errors.LoginBadCode: HTTPStatus.BAD_REQUEST,
    errors.SignInByCodeDisabled: HTTPStatus.FORBIDDEN,
    errors.RegisterUserAlreadyExists: HTTPStatus.BAD_REQUEST,
    errors.RegisterInvalidPassword: HTTPStatus.BAD_REQUEST,
    errors.RegisterInvitationRequired: HTTPStatus.FORBIDDEN,
    errors.RegisterClosed: HTTPStatus.FORBIDDEN,
    errors.RegisterBadToken: HTTPStatus.BAD_REQUEST,
    errors.UpdateUserEmailAlreadyExists: HTTPStatus.BAD_REQUEST,
    errors.UpdateUserInvalidPassword: HTTPStatus.BAD_REQUEST,
    errors.ResetPasswordBadToken: HTTPStatus.BAD_REQUEST,
    errors.ResetPasswordInvalidPassword: HTTPStatus.BAD_REQUEST,
    errors.VerifyUserBadToken: HTTPStatus.BAD_REQUEST,
    errors.VerifyUserAlreadyVerified: HTTPStatus.BAD_REQUEST,
    errors.ConfirmEmailBadToken: HTTPStatus.BAD_REQUEST,
    errors.EmailChangeNotFound: HTTPStatus.NOT_FOUND,
    errors.UndoEmailBadToken: HTTPStatus.BAD_REQUEST,
    errors.BadCurrentPassword: HTTPStatus.BAD_REQUEST,
    errors.ReauthenticationRequired: HTTPStatus.FORBIDDEN,
    errors.AssuranceRequired: HTTPStatus.FORBIDDEN,
    errors.MfaRequired: HTTPStatus.FORBIDDEN,
    errors.MfaBadToken: HTTPStatus.BAD_REQUEST,
    errors.BadSecondFactor: HTTPStatus.BAD_REQUEST,
    errors.OAuthInvalidState: HTTPStatus.BAD_REQUEST,
    errors.OAuthNotAvailableEmail: HTTPStatus.BAD_REQUEST,
    errors.OAuthEmailUnverified: HTTPStatus.BAD_REQUEST,
    errors.OAuthUserAlreadyExists: HTTPStatus.BAD_REQUEST,
    errors.OAuthSignUpClosed: HTTPStatus.FORBIDDEN,
    errors.OAuthIdentityTaken: HTTPStatus.CONFLICT,
    errors.OAuthBadReturnTo: HTTPStatus.BAD_REQUEST,
    errors.IdentityNotFound: HTTPStatus.NOT_FOUND,
    errors.LastWayIn: HTTPStatus.CONFLICT,
    errors.ProviderNotFound: HTTPStatus.NOT_FOUND,
    errors.ProviderUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ProviderRefused: HTTPStatus.BAD_REQUEST,
    errors.ProviderDenied: HTTPStatus.BAD_REQUEST,
    errors.FactorUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TotpExists: HTTPStatus.CONFLICT,
    errors.TotpNotFound: HTTPStatus.NOT_FOUND,
    errors.NoSecondFactor: HTTPStatus.CONFLICT,
    errors.BadPasskey: HTTPStatus.BAD_REQUEST,
    errors.PasskeysUnavailable: HTTPStatus.FORBIDDEN,
    errors.PasskeyExists: HTTPStatus.CONFLICT,
    errors.PasskeyNotFound: HTTPStatus.NOT_FOUND,
    errors.TooManyPasskeys: HTTPStatus.CONFLICT,
    errors.LastWayIn: HTTPStatus.CONFLICT,
    errors.BadCursor: HTTPStatus.BAD_REQUEST,
    errors.RefreshBadToken: HTTPStatus.BAD_REQUEST,
    errors.RefreshTokenReused: HTTPStatus.BAD_REQUEST,
    errors.SessionNotFound: HTTPStatus.NOT_FOUND,
    errors.CrossSite: HTTPStatus.FORBIDDEN,
    errors.NotWithAKey: HTTPStatus.FORBIDDEN,
    errors.InsufficientScope: HTTPStatus.FORBIDDEN,
    errors.TokenNotFound: HTTPStatus.NOT_FOUND,
    errors.ScopeRequiresSuperuser: HTTPStatus.FORBIDDEN,
    errors.TooManyKeys: HTTPStatus.CONFLICT,
    errors.VerifiedEmailRequired: HTTPStatus.FORBIDDEN,
    errors.UserNotFound: HTTPStatus.NOT_FOUND,
    errors.GroupNotFound: HTTPStatus.NOT_FOUND,
    errors.GroupForbidden: HTTPStatus.FORBIDDEN,
    errors.GroupNameTaken: HTTPStatus.CONFLICT,
    errors.MemberNotFound: HTTPStatus.NOT_FOUND,
    errors.AlreadyMember: HTTPStatus.CONFLICT,
    errors.InvitationExists: HTTPStatus.CONFLICT,
    errors.InvitationNotFound: HTTPStatus.NOT_FOUND,
    errors.InvitationBadToken: HTTPStatus.BAD_REQUEST,
    errors.InvitationOtherAddress: HTTPStatus.FORBIDDEN,
    errors.EmailUndoOpen: HTTPStatus.CONFLICT,
    errors.LastOwner: HTTPStatus.CONFLICT,
    errors.ImportInvalid: HTTPStatus.UNPROCESSABLE_CONTENT,
    errors.TooManyInvitations: HTTPStatus.UNPROCESSABLE_CONTENT,
    errors.ImportInProgress: HTTPStatus.CONFLICT,
    errors.UserInactive: HTTPStatus.CONFLICT,
    errors.NotForServiceAccounts: HTTPStatus.CONFLICT,
    errors.LastSuperuser: HTTPStatus.CONFLICT,
    errors.ServiceAccountNotFound: HTTPStatus.NOT_FOUND,
    errors.TooManyServiceAccounts: HTTPStatus.CONFLICT,
    errors.SecretNotFound: HTTPStatus.NOT_FOUND,
    errors.TooManySecrets: HTTPStatus.CONFLICT,
    errors.InvalidClient: HTTPStatus.UNAUTHORIZED,
    errors.InvalidScope: HTTPStatus.BAD_REQUEST,
    errors.TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.InvalidValue: HTTPStatus.UNPROCESSABLE_CONTENT,
    errors.NotFound: HTTPStatus.NOT_FOUND,
}
HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},  # RFC 9110, 11.6.1
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "2"},
}


class InvalidField(BaseModel):
    """A part of the request that is invalid. Its value is never repeated."""

    loc: list[str | int] = Field(description="The path to the field.", examples=[["body", "email"]])
    msg: str = Field(description="An explanation for people.", examples=["Input should be an email address"])
    type: str = Field(description="The type of error, for programs.", examples=["email"])


class BlockingGroup(BaseModel):
    """A group that would be left without an active owner."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(examples=[1])
    name: str = Field(examples=["Round Table"])


class Problem(BaseModel):
    """Problem details (RFC 9457). `detail` is a stable code for programs."""

    title: str = Field(description="The status in words.", examples=["Bad Request"])
    status: int = Field(description="The HTTP status.", examples=[400])
    detail: str = Field(description="A stable code.", examples=["LOGIN_BAD_CREDENTIALS"])
    reason: str | Absent = Field(default_factory=lambda: None, description="An explanation for people.")
    errors: list[InvalidField] | Absent = Field(
        default_factory=lambda: None, description="The invalid fields, with REQUEST_INVALID and IMPORT_INVALID."
    )
    groups: list[BlockingGroup] | Absent = Field(
        default_factory=lambda: None, description="The groups without another active owner, with LAST_OWNER."
    )
    mfa_token: str | Absent = Field(
        default_factory=lambda: None, description="Finishes the sign-in, within five minutes, with MFA_REQUIRED."
    )
    factors: list[Factor] | Absent = Field(
        default_factory=lambda: None, description="The second factors that the user has, with MFA_REQUIRED."
    )
    headers: SkipJsonSchema[dict[str, str]] = Field(default_factory=dict, exclude=True)

    @classmethod
    def from_status(cls, status: HTTPStatus, detail: str | None = None, **members: Any) -> Self:
        """Create a problem of ``status``, with the headers that the status requires.

        Args:
            status: gives the title and, unless ``detail`` is set, the code.
            detail: the code.
            members: ``reason``, ``errors``, ``groups`` and more ``headers``.

        """
        headers = HEADERS.get(status, {}) | (members.pop("headers", None) or {})
        return cls(title=status.phrase, status=status, detail=detail or status.name, headers=headers, **members)

    @classmethod
    def from_refusal(cls, error: Refusal, **members: Any) -> Self:
        """Create a problem with the code, status and reason of a refusal of the domain."""
        return cls.from_status(STATUS[type(error)], error.code, **{"reason": error.reason} | members)

    @property
    def is_server_error(self) -> bool:
        """Whether the request may succeed without a change."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    def json_response(self, media_type: str = PROBLEM_JSON) -> JSONResponse:
        """Render the problem as JSON."""
        return JSONResponse(self.model_dump(exclude_none=True), self.status, self.headers, media_type)


def summary(documented: object) -> str:
    """Return the first line of a docstring, which describes a refusal or a tag to people."""
    return (documented.__doc__ or "").partition("\n")[0]


def rate_limit_headers(attempts: int, period: int, *, remaining: int, seconds: int) -> dict[str, str]:
    """Return the headers of draft-ietf-httpapi-ratelimit-headers.

    Args:
        attempts: the limit, per ``period`` seconds.
        period: the limit's period in seconds.
        remaining: how many attempts are left.
        seconds: how long until all of them are available again; if none is left, until one is.

    """
    return {
        "RateLimit-Policy": f'"default";q={attempts};w={period}',
        "RateLimit": f'"default";r={remaining};t={seconds}',
    }
