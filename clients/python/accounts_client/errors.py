"""What can go wrong. These errors know no web framework; ``accounts_client.fastapi`` maps them to responses."""


class AccountsError(Exception):
    """Base of the errors of this package."""


class InvalidToken(AccountsError):  # noqa: N818  # named for its rule
    """The token proves nothing: it is malformed, forged, expired, or its session has ended. Respond with 401."""


class IssuerUnavailable(AccountsError):  # noqa: N818  # named for its rule
    """The issuer does not answer as it should, so the token cannot be verified now. Respond with 503."""


class GroupsUnknown(AccountsError):  # noqa: N818  # named for its rule
    """The token does not have the claim ``groups``, and this service has no credentials to ask for the role."""
