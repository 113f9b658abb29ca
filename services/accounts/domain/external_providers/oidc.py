"""A provider of OpenID Connect: authorization code flow with PKCE, ID token, and userinfo where that is needed."""

from base64 import b64encode
from typing import Any, override
from urllib.parse import quote_plus

from accounts.domain.external_providers.authorization_code import authorization_url, bearer, token_form
from accounts.domain.external_providers.cached import Cached
from accounts.domain.external_providers.claims import email_of, is_true, name_of
from accounts.domain.external_providers.connection import Connection, Json
from accounts.domain.external_providers.id_token import (
    Expected,
    InvalidToken,
    UnknownKey,
    verify_id_token,
)
from accounts.domain.external_providers.metadata import Metadata, metadata_url, parse_metadata
from accounts.domain.external_providers.provider import AuthorizationRequest, ExternalUser, Provider
from accounts.settings_providers import ProviderSettings, TrustEmail


class OidcProvider(Provider):
    """A provider that publishes its metadata (OpenID Connect Discovery 1.0)."""

    proves_recent_sign_in = True

    def __init__(self, settings: ProviderSettings, connection: Connection) -> None:
        self.settings = settings
        self._connection = connection
        self._metadata = Cached(self._fetch_metadata)
        self._keys = Cached(self._fetch_keys)

    @override
    async def authorization_url(self, request: AuthorizationRequest, redirect_uri: str) -> str:
        async with self._connection.deadline():
            metadata = await self._metadata.get()
        parameters = {"nonce": request.nonce}
        if request.max_age is not None:
            parameters["max_age"] = str(request.max_age)
        if self.settings.acr:
            parameters["acr_values"] = " ".join(self.settings.acr)
        client_id, scopes = self.settings.client_id, self.settings.scopes
        return authorization_url(
            metadata.authorization_endpoint, client_id, request, redirect_uri, scopes, **parameters
        )

    @override
    async def external_user(
        self, request: AuthorizationRequest, redirect_uri: str, code: str, iss: str | None
    ) -> ExternalUser:
        async with self._connection.deadline():
            metadata = await self._metadata.get()
            if iss != self.issuer and (iss is not None or metadata.announces_iss):
                self._connection.refused("the response is that of another provider")
            form = token_form(request, redirect_uri, code)
            tokens = await self._connection.token(metadata.token_endpoint, *self._authenticate(metadata, form))
            claims = await self._verify(tokens.get("id_token"), request)
            profile = await self._profile(metadata, tokens, claims)
        return self._user(claims, profile)

    def _authenticate(self, metadata: Metadata, form: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return the form and the headers with which the client authenticates (RFC 6749, 2.3.1)."""
        client_id, secret = self.settings.client_id, self.settings.client_secret.get_secret_value()
        if not secret:
            return {**form, "client_id": client_id}, {}
        if metadata.client_authentication == "client_secret_post":
            return {**form, "client_id": client_id, "client_secret": secret}, {}
        if metadata.client_authentication != "client_secret_basic":
            self._connection.unavailable("it accepts no client secret")
        credentials = f"{quote_plus(client_id)}:{quote_plus(secret)}"
        return form, {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}"}

    async def _verify(self, token: Any, request: AuthorizationRequest) -> Json:
        if not isinstance(token, str):
            self._connection.refused("there is no ID token")
        expected = Expected(self.issuer, self.settings.client_id, request.nonce, request.max_age)
        keys = await self._keys.get()
        try:
            try:
                return verify_id_token(token, keys, expected)
            except UnknownKey:
                return verify_id_token(token, await self._keys.get_newer(keys), expected)
        except InvalidToken as error:
            self._connection.refused(str(error))

    async def _profile(self, metadata: Metadata, tokens: Json, claims: Json) -> Json:
        """Return the claims about the user: those of the ID token, or of userinfo if it has no email."""
        if claims.get("email") is not None or metadata.userinfo_endpoint is None:
            return claims
        authorization = bearer(tokens)
        if authorization is None:
            return claims
        profile = await self._connection.get_object(metadata.userinfo_endpoint, authorization)
        if profile.get("sub") != claims["sub"]:  # OpenID Connect Core 1.0, 5.3.2
            self._connection.refused("userinfo is about another user")
        return profile

    def _user(self, claims: Json, profile: Json) -> ExternalUser:
        email = email_of(profile.get("email"))
        trusted = self.settings.trust_email is TrustEmail.ALWAYS or is_true(profile.get("email_verified"))
        return ExternalUser(
            issuer=self.issuer,
            subject=claims["sub"],
            email=email,
            email_verified=email is not None and trusted,
            name=name_of(profile.get("name")) or name_of(claims.get("name")),
            level=2 if claims.get("acr") in self.settings.acr else 1,
        )

    async def _fetch_metadata(self) -> Metadata:
        document = await self._connection.get_object(metadata_url(self.issuer))
        try:
            return parse_metadata(document, self.issuer)
        except ValueError as error:
            self._connection.unavailable(str(error))

    async def _fetch_keys(self) -> list[Any]:
        document = await self._connection.get_object((await self._metadata.get()).jwks_uri)
        keys = document.get("keys")
        if not isinstance(keys, list):
            self._connection.unavailable("it has no keys")
        return keys
