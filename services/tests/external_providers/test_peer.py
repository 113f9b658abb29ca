"""A provider of another make (npm ``oauth2-mock-server``), which changes its tokens on request."""

from collections.abc import Iterator

import pytest
from httpx2 import AsyncClient

from accounts.domain import errors
from accounts.domain.external_providers.provider import AuthorizationRequest, ExternalUser, Provider
from support.external_sign_in import authorization_request, opened
from support.node import needs_node, running_script

pytestmark = [pytest.mark.slow, needs_node]
CALLBACK = "https://accounts.example.com/auth/peer/callback"
# The redirect URI says how to change the token.
SERVER = """
import { OAuth2Server } from "oauth2-mock-server";
const changes = {
  issuer: (token) => { token.payload.iss += "/"; },
  audience: (token) => { token.payload.aud = "other"; },
  nonce: (token) => { token.payload.nonce = "other"; },
  expired: (token) => { token.payload.exp = token.payload.iat - 3600; },
  key: (token) => { token.header.kid = "other"; },
  email: (token) => { delete token.payload.email; },
};
const server = new OAuth2Server();
await server.issuer.keys.generate("RS256");
server.service.on("beforeTokenSigning", (token, request) => {
  token.payload.email = "lancelot@example.com";
  token.payload.email_verified = true;
  const change = new URL(request.body.redirect_uri).searchParams.get("change");
  if (change) changes[change](token);
});
server.service.on("beforeUserinfo", ({ body }) => Object.assign(body, { email: "galahad@example.com" }));
await server.start(0, "127.0.0.1");
console.log(server.issuer.url);
"""


@pytest.fixture(scope="module")
def peer() -> Iterator[str]:
    with running_script(SERVER) as url:
        yield url


async def signed_in(
    provider: Provider, redirect_uri: str, request: AuthorizationRequest, verifier: str | None = None
) -> ExternalUser:
    url = await provider.authorization_url(request, redirect_uri)
    async with AsyncClient() as browser:
        location = (await browser.get(url)).headers["location"]
    answered = AsyncClient().build_request("GET", location).url.params
    assert answered["state"] == request.state
    sent = AuthorizationRequest(request.state, request.nonce, verifier or request.verifier)
    return await provider.external_user(sent, redirect_uri, answered["code"], answered.get("iss"))


async def test_sign_in_with_a_provider_of_another_make(peer: str) -> None:
    async with opened(peer) as provider:
        user = await signed_in(provider, CALLBACK, authorization_request())

    assert user == ExternalUser(peer, "johndoe", "lancelot@example.com", True, "", 1)


async def test_email_is_read_from_its_userinfo(peer: str) -> None:
    async with opened(peer) as provider:
        user = await signed_in(provider, f"{CALLBACK}?change=email", authorization_request())

    assert (user.email, user.email_verified) == ("galahad@example.com", False)


@pytest.mark.parametrize("change", ["issuer", "audience", "nonce", "expired", "key"])
async def test_changed_token_is_refused(peer: str, change: str) -> None:
    async with opened(peer) as provider:
        with pytest.raises(errors.ProviderRefused):
            await signed_in(provider, f"{CALLBACK}?change={change}", authorization_request())


async def test_provider_checks_the_verifier(peer: str) -> None:
    async with opened(peer) as provider:
        with pytest.raises(errors.ProviderUnavailable):  # it answers with invalid_request
            await signed_in(provider, CALLBACK, authorization_request(), authorization_request().verifier)
