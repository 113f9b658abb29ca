"""GitHub: OAuth 2.0 with PKCE, and its API for who the user is (https://docs.github.com/en/apps/oauth-apps).

GitHub Enterprise Server has the same at another address, its ``issuer``.
"""

from typing import Any, override

from accounts.domain.external_providers.authorization_code import authorization_url, bearer, token_form
from accounts.domain.external_providers.claims import email_of, name_of
from accounts.domain.external_providers.connection import Connection
from accounts.domain.external_providers.provider import AuthorizationRequest, ExternalUser, Provider
from accounts.settings_providers import GITHUB, ProviderSettings

API = "https://api.github.com"
ACCEPT = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class GitHubProvider(Provider):
    """GitHub, which says neither when nor how a user signed in there."""

    proves_recent_sign_in = False

    def __init__(self, settings: ProviderSettings, connection: Connection) -> None:
        self.settings = settings
        self._connection = connection
        base = self.issuer.rstrip("/")
        self._oauth = f"{base}/login/oauth"
        self._api = API if base == GITHUB else f"{base}/api/v3"

    @override
    async def authorization_url(self, request: AuthorizationRequest, redirect_uri: str) -> str:
        self._require_no_age(request)
        endpoint, scopes = f"{self._oauth}/authorize", self.settings.scopes
        return authorization_url(endpoint, self.settings.client_id, request, redirect_uri, scopes)

    @override
    async def external_user(
        self, request: AuthorizationRequest, redirect_uri: str, code: str, iss: str | None
    ) -> ExternalUser:
        self._require_no_age(request)
        if iss not in {None, self.issuer, self._oauth}:  # the last is what GitHub calls itself
            self._connection.refused("the response is that of another provider")
        secret = self.settings.client_secret.get_secret_value()
        form = {"client_id": self.settings.client_id, "client_secret": secret}
        form |= token_form(request, redirect_uri, code)
        async with self._connection.deadline():
            authorization = bearer(await self._connection.token(f"{self._oauth}/access_token", form, {}))
            if authorization is None:
                self._connection.refused("there is no access token")
            user = await self._connection.get_object(f"{self._api}/user", ACCEPT | authorization)
            emails = await self._connection.get(f"{self._api}/user/emails", ACCEPT | authorization)
        return self._user(user, emails)

    def _user(self, user: dict[str, Any], emails: Any) -> ExternalUser:
        number = user.get("id")  # the login can be changed, and then belong to another user
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**63:
            self._connection.refused("there is no user")
        email = email_of(_primary(emails))
        name = name_of(user.get("name")) or name_of(user.get("login"))
        return ExternalUser(self.issuer, str(number), email, email is not None, name)

    def _require_no_age(self, request: AuthorizationRequest) -> None:
        if request.max_age is not None:
            self._connection.refused("GitHub does not say when a user signed in")


def _primary(emails: Any) -> Any:
    """Return the address that the user has chosen as the primary one, if it is verified."""
    entries = [each for each in emails if isinstance(each, dict)] if isinstance(emails, list) else []
    return next((each.get("email") for each in entries if each.get("primary") is each.get("verified") is True), None)
