"""Verify access tokens of the accounts service in other services."""

from accounts_client.errors import AccountsError, GroupsUnknown, InvalidToken, IssuerUnavailable
from accounts_client.tokens import AccessToken, Role, has_role
from accounts_client.verifier import Verifier

__all__ = [
    "AccessToken",
    "AccountsError",
    "GroupsUnknown",
    "InvalidToken",
    "IssuerUnavailable",
    "Role",
    "Verifier",
    "has_role",
]
