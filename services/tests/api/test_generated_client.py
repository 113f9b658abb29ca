"""The client that the Python package generates works, and its OpenAPI document is that of the code."""

import json
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from typing import Any, Self

import pytest
from httpx2 import URL, ASGITransport, Response
from starlette.types import Receive, Scope, Send

from accounts.api.app import create_app
from accounts.models import Role
from hatch_build import generate
from openapi import DOCUMENT
from support.people import PASSWORD, World

PACKAGE = "generated_client"
EMAIL = "percival@camelot.example.com"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Generate the client as when its wheel is built, and return its package name."""
    directory = tmp_path_factory.mktemp("client")
    generate(DOCUMENT, directory / PACKAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(directory))
        yield PACKAGE


class Caller:
    """Calls operations through the generated client, by tag and operation ID."""

    def __init__(self, package: str, world: World, token: str = "") -> None:
        async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
            await world.app({**scope, "state": dict(world.state)}, receive, send)

        self.package, self.world = package, world
        self.models = import_module(f"{package}.models")
        options = {"raise_on_unexpected_status": True, "httpx_args": {"transport": ASGITransport(asgi)}}
        module, url = import_module(package), str(world.client.base_url)
        self.client = module.AuthenticatedClient(url, token, **options) if token else module.Client(url, **options)

    async def respond(self, operation: str, *arguments: Any, **named: Any) -> Any:
        """Call an operation, and return status, headers and parsed body."""
        module = import_module(f"{self.package}.api.{operation}")
        return await module.asyncio_detailed(*arguments, client=self.client, **named)

    async def __call__(self, operation: str, *arguments: Any, **named: Any) -> Any:
        """Call an operation, and return the parsed body."""
        return (await self.respond(operation, *arguments, **named)).parsed

    async def pages(self, operation: str, *arguments: Any, **named: Any) -> AsyncIterator[Any]:
        """Yield all pages of a list."""
        while True:
            response = await self.respond(operation, *arguments, **named)
            yield response.parsed
            link = Response(response.status_code, headers=response.headers).links.get("next")
            if link is None:
                return
            named["cursor"] = URL(link["url"]).params["cursor"]

    async def sign_in(self, email: str) -> Self:
        """Return a caller with an access token."""
        tokens = await self("auth.login", body=self.models.LoginForm(email, PASSWORD))
        return type(self)(self.package, self.world, tokens.access_token)


@pytest.fixture
def anonymous(package: str, world: World) -> Caller:
    return Caller(package, world)


@pytest.mark.slow
async def test_client_covers_the_life_of_a_user(anonymous: Caller, world: World) -> None:
    models = anonymous.models
    registered = await anonymous("auth.register", body=models.RegistrationCreate(EMAIL, PASSWORD, "Percival"))
    percival = await anonymous.sign_in(EMAIL)
    assert await percival("users.read_me") == registered
    assert (await anonymous("auth.verify", body=models.TokenInput(await world.token()))).is_verified

    group = await percival("groups.create_group", body=models.GroupCreate("Round Table", "", models.Visibility.PUBLIC))
    assert [each.id for each in await anonymous("groups.list_groups", name="round")] == [group.id]
    bors = await world.user("bors")
    await world.join(group.id, bors, Role.MEMBER)
    promoted = await percival("members.update_member", group.id, bors.id, body=models.RoleInput(models.Role.ADMIN))
    pages = [page async for page in percival.pages("members.list_members", group.id, limit=1)]
    assert [member.role for page in pages for member in page] == [models.Role.OWNER, promoted.role]

    invited = await percival("invitations.create_invitation", group.id, body=models.InvitationCreate("kay@x.org"))
    assert await percival("invitations.list_invitations", group.id) == [invited]
    joined = models.RegistrationCreate("kay@x.org", PASSWORD, invitation=(await world.token()))
    assert (await anonymous("auth.register", body=joined)).is_verified
    exported = await percival("members.export_members", group.id)
    file = import_module(f"{anonymous.package}.types").File(exported.payload.read())
    assert (await percival("members.import_members", group.id, body=file)).errors[0].type_ == "owner"

    assert (await percival("users.export_me")).memberships[0].group_name == group.name
    refused = await percival("users.delete_me")
    assert (refused.detail, refused.groups[0].name) == ("LAST_OWNER", group.name)
    assert (await percival.respond("auth.logout")).status_code == 204
    assert (await percival("users.read_me")).detail == "UNAUTHORIZED"


@pytest.mark.slow
async def test_refusals_are_parsed_as_problems(anonymous: Caller) -> None:
    models = anonymous.models
    invalid = await anonymous("auth.register", body=models.RegistrationCreate("nobody", PASSWORD))
    unknown = await anonymous("auth.login", body=models.LoginForm(EMAIL, PASSWORD))

    assert isinstance(invalid, models.Problem)
    assert [(each.loc, each.type_) for each in invalid.errors] == [(["body", "email"], "email")]
    assert isinstance(unknown, models.TokenProblem)
    assert (unknown.detail, unknown.error) == ("LOGIN_BAD_CREDENTIALS", "invalid_grant")
    assert await anonymous("groups.read_group", 1) == models.Problem("Not Found", 404, "GROUP_NOT_FOUND")
    assert await anonymous("auth.forgot_password", body=models.EmailInput(EMAIL)) is None


def test_document_of_the_client_is_current() -> None:
    assert json.loads(DOCUMENT.read_text()) == json.loads(json.dumps(create_app().openapi())), "run: make client"
