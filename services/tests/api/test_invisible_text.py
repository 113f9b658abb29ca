"""Every text that others see has something to see and hides nothing; emails lose what was pasted around them."""

import uuid
from typing import Any, NamedTuple

import pytest

from support.operations import Operation, page_operations, text_fields
from support.people import PASSWORD, World

# Text that no one else sees: it is hashed, compared or ignored.
UNSEEN = {"password", "current_password", "username", "scope", "client_id", "client_secret", "grant_type"}
UNSEEN |= {"token", "refresh_token", "token_type_hint", "code", "recovery_code", "passkey"}
UNSEEN |= {"kind", "return_to", "invitation", "state", "iss", "error"}  # of a sign-in with another provider
UNSEEN |= {"next"}  # a page to continue with
UNSEEN |= {"member_email"}  # compared, like a username
UNSEEN |= {"q", "typed_email"}  # of the administration: searched for, and compared
HIDING, INVISIBLE = "a\u202eb", "\u3164"
PASTED = "\ufeff\u200b\u2060\u202a Arthur@Camelot.example.com\u200e\u00a0\u202c"
SPECIAL_USE = "user@localhost"
# What the forms of pages accept: their response does not name the field that is wrong.
VALID = {
    "email": "new@example.com",
    "username": "new@example.com",
    "password": PASSWORD,
    "token": "x" * 43,
    "code": "492039",
    "session": str(uuid.UUID(int=1)),
    "answer": "accept",
    "language": "de",
    "confirm": "true",
}


class TextField(NamedTuple):
    """A text that clients send, in the ``params``, ``json`` or ``data`` of a request."""

    operation: Operation
    where: str
    name: str

    @property
    def is_on_page(self) -> bool:
        return self.operation.path.startswith(("/account/", "/admin"))

    @property
    def is_email(self) -> bool:
        return "email" in self.operation.fields().get(self.name, {}).get("format", "")

    async def refused(self, world: World, headers: dict[str, str], text: str) -> bool:
        """Return whether a text is refused because of this field."""
        others = valid_values(self.operation) if self.is_on_page else {}
        content: dict[str, Any] = {self.where: others | {self.name: text}}
        response = await world.client.request(self.operation.method, self.operation.url, headers=headers, **content)
        assert response.status_code < 500, response.text
        if response.status_code != 422 or self.is_on_page:
            return response.status_code == 422
        return any(self.name in map(str, error["loc"]) for error in response.json()["errors"])


def valid_values(operation: Operation) -> dict[str, str]:
    return {name: VALID[name] for name in operation.fields() if name in VALID}


FIELDS = [
    TextField(operation, "params" if where == "query" else where, name)
    for operation, where, name in text_fields()
    if where != "header"
]
# The filters of a group's page are not read before the group is found; a test of filters walks them.
SEEN = [
    field
    for field in FIELDS
    if field.name not in UNSEEN and not (field.where == "params" and "{group_id}" in field.operation.path)
]
EMAILS = [field for field in FIELDS if field.is_email]


def test_walk_finds_the_fields() -> None:
    seen = {(field.operation.path, field.name) for field in SEEN}
    assert {("/auth/register", "display_name"), ("/user-groups", "name"), ("/account/register", "display_name")} <= seen
    emails = {field.operation.path for field in EMAILS}
    assert {"/auth/forgot-password", "/account/register", "/user-groups/{group_id}/invitations"} <= emails


async def test_forms_of_pages_accept_the_values_of_these_tests(world: World) -> None:
    for operation in page_operations():
        if operation.is_form:
            response = await world.client.post(operation.url, data=valid_values(operation))
            assert response.status_code != 422, (operation.path, response.text)


@pytest.mark.parametrize("text", [HIDING, INVISIBLE], ids=ascii)
async def test_text_that_hides_something_or_is_invisible_is_refused_everywhere(world: World, text: str) -> None:
    headers = await world.sign_in(await world.user("morgana", superuser=True))

    accepted = [field for field in SEEN if not await field.refused(world, headers, text)]

    assert accepted == []


async def test_pasted_email_is_accepted_everywhere(world: World) -> None:
    headers = await world.sign_in(await world.user("morgana", superuser=True))

    refused = [field for field in EMAILS if await field.refused(world, headers, PASTED)]

    assert refused == []


async def test_special_use_domain_is_refused_everywhere(world: World) -> None:
    headers = await world.sign_in(await world.user("morgana", superuser=True))

    accepted = [field for field in EMAILS if not await field.refused(world, headers, SPECIAL_USE)]

    assert accepted == []


@pytest.mark.usefixtures("special_use_domains")
async def test_special_use_domain_is_accepted_everywhere_if_the_setting_says_so(world: World) -> None:
    headers = await world.sign_in(await world.user("morgana", superuser=True))

    refused = [field for field in EMAILS if await field.refused(world, headers, SPECIAL_USE)]

    assert refused == []
