"""Refusals of programs: access keys, service accounts and clients of OAuth 2.0."""

from accounts.domain.errors.base import Refusal
from accounts.models import Scope


class NotForServiceAccounts(Refusal):
    """Service accounts own no groups, have neither email nor password, and neither send nor get invitations."""

    code = "NOT_FOR_SERVICE_ACCOUNTS"


class ServiceAccountNotFound(Refusal):
    """The group has no such service account."""

    code = "SERVICE_ACCOUNT_NOT_FOUND"


class TooManyServiceAccounts(Refusal):
    """The group has as many service accounts as it may have. Delete one first."""

    code = "TOO_MANY_SERVICE_ACCOUNTS"


class SecretNotFound(Refusal):
    """The service account has no such secret."""

    code = "SECRET_NOT_FOUND"


class TooManySecrets(Refusal):
    """The service account has as many secrets as it may have. Revoke one first."""

    code = "TOO_MANY_SECRETS"


class InvalidClient(Refusal):
    """Unknown client, wrong or expired secret, an inactive service account, or no client authentication."""

    code = "INVALID_CLIENT"


class InvalidScope(Refusal):
    """The client's secret does not have the requested scope."""

    code = "INVALID_SCOPE"


class NotWithAKey(Refusal):
    """Only a person who is signed in may do this: neither an access key nor a service account."""

    code = "NOT_WITH_A_KEY"


class InsufficientScope(Refusal):
    """The access key or access token lacks the scope that the operation requires."""

    code = "INSUFFICIENT_SCOPE"

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope


class TokenNotFound(Refusal):
    """The user has no such access key."""

    code = "TOKEN_NOT_FOUND"


class ScopeRequiresSuperuser(Refusal):
    """Only superusers can have access keys with one of these scopes."""

    code = "SCOPE_REQUIRES_SUPERUSER"


class TooManyKeys(Refusal):
    """The user has as many access keys as are allowed. Delete one first."""

    code = "TOO_MANY_KEYS"
