"""What only people have and do: no route gives a service account a password, an email, a flag, a group or mail.

Every route that changes something is tried, also those that are added later, with each body that its schema allows.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import text

from accounts.api.app import create_app
from accounts.api.http_methods import SAFE_METHODS
from accounts.db.session import transaction
from accounts.domain import errors
from accounts.domain.invitations.answering import OwnInvitationManager
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import OutgoingMail
from accounts.domain.opaque_tokens import hash_token
from accounts.domain.registration import RegistrationManager
from accounts.models import Invitation, MailKind, Membership, Role, User
from accounts.schemas.identity.users import RegistrationCreate
from accounts.settings import SignUp
from support.member_files import CSV
from support.service_accounts import Squire

DOCUMENT = create_app().openapi()
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
ROUTES = [
    (method.upper(), path)
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if method.upper() not in SAFE_METHODS
]
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
CALLERS = ("morgana", "arthur", "squire", "anonymous")
# What a service account must not have: names and queries, each of which finds nothing.
FORBIDDEN = {
    "password, email or flag": "SELECT 1 FROM \"user\" WHERE id = :id AND (hashed_password <> '!' OR email <> :email "
    "OR is_superuser OR NOT is_verified OR owner_group_id IS NULL)",
    "mail": "SELECT 1 FROM outbox WHERE user_id = :id OR lower(email) = :email",
    "mailed token": "SELECT 1 FROM one_time_token WHERE user_id = :id",
    "registration": "SELECT 1 FROM pending_registration WHERE lower(email) = :email",
    "invitation": "SELECT 1 FROM invitation WHERE user_id = :id OR lower(email) = :email OR inviter_id = :id",
    "group of its own": "SELECT 1 FROM membership WHERE user_id = :id AND role = 'owner'",
    "sign-in": "SELECT 1 FROM user_session WHERE user_id = :id AND kind <> 'service'",
    "known device": "SELECT 1 FROM known_device WHERE user_id = :id",
    "second account": 'SELECT 1 FROM "user" WHERE id <> :id AND lower(email) = :email',
}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references and choose the first alternative."""
    while "$ref" in schema or "anyOf" in schema:
        schema = schema["anyOf"][0] if "anyOf" in schema else schema
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return schema


def values(name: str, field: dict[str, Any], squire: Squire) -> list[Any]:
    """Return values of a field: those that are about the service account, and all that there are of an enumeration."""
    field = resolved(field)
    by_format = {
        "idn-email": [email(squire)],
        "uuid": [squire.id],
        "password": ["a-sword-in-a-stone"],
    }
    by_type = {"boolean": [True, False], "integer": [field.get("minimum", 1)], "string": ["text"]}
    if name == "username":
        return [email(squire)]
    if field.get("type") == "array":
        return [[value] for value in values(name, field["items"], squire)]
    return by_format.get(field.get("format", "")) or field.get("enum") or by_type.get(field.get("type", ""), ["text"])


def bodies(method: str, path: str, squire: Squire) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield bodies with their media type: all fields at once, and the required ones with each value of each field."""
    content = DOCUMENT["paths"][path][method.lower()].get("requestBody", {}).get("content", {})
    media_type = next(iter(content), JSON)
    schema = resolved(content[media_type]["schema"]) if content else {}
    known = {
        name: values(name, field, squire)
        for name, field in schema.get("properties", {}).items()
        if name != "current_password"
    }
    if not known:
        yield media_type, None
        return
    required = {name: known[name][0] for name in schema.get("required", [])}
    yield media_type, {name: each[0] for name, each in known.items()}
    for name, each in known.items():
        for value in each:
            yield media_type, required | {name: value}


def email(squire: Squire) -> str:
    return f"{squire.id}@service.invalid"


async def send(squire: Squire, method: str, path: str, media_type: str, body: Any, headers: dict[str, str]) -> Response:
    ids = {"user_id": squire.id, "account_id": squire.id, "group_id": squire.group.id}
    for name in ("secret_id", "session_id", "token_id", "identity_id"):
        ids[name] = str(uuid.UUID(int=1))
    url = path.format(**ids, invitation_id=1, passkey_id=uuid.UUID(int=1), provider="unknown")
    request = squire.world.client.request
    if media_type == CSV["Content-Type"]:
        return await request(method, url, content=f"email,role\n{email(squire)},admin\n", headers=headers | CSV)
    if media_type == FORM:
        return await request(method, url, data=body, headers=headers)
    return await request(method, url, json=body, headers=headers)


async def found(squire: Squire) -> set[str]:
    async with transaction(squire.world.sessionmaker) as db:
        connection, parameters = await db.connection(), {"id": uuid.UUID(squire.id), "email": email(squire)}
        return {
            name for name, query in FORBIDDEN.items() if (await connection.execute(text(query), parameters)).first()
        }


@pytest.mark.usefixtures("special_use_domains")
@pytest.mark.parametrize(("method", "path"), ROUTES, ids=str)
async def test_no_route_makes_a_person_of_it(squire: Squire, method: str, path: str) -> None:
    """Superusers, its group's owner, the account itself and strangers try; special-use domains are valid emails."""
    scopes = ("profile:read", "groups:write", "members:write")
    squire.headers |= {"squire": await squire.sign_in(await squire.secret(*scopes)), "anonymous": {}}

    for caller in CALLERS:
        for media_type, body in bodies(method, path, squire):
            undone = await squire.world.sessionmaker.kw["bind"].begin_nested()
            response = await send(squire, method, path, media_type, body, squire.headers[caller])
            assert response.status_code < 500, (caller, body, response.text)
            assert await found(squire) == set(), (caller, body, response.text)
            await undone.rollback()


@pytest.mark.usefixtures("special_use_domains")
@pytest.mark.parametrize(
    ("who", "method", "path", "body"),
    [
        ("morgana", "PATCH", "/users/{id}", {"password": "a-sword-in-a-stone"}),
        ("morgana", "PATCH", "/users/{id}", {"email": "squire@camelot.example.com"}),
        ("morgana", "PATCH", "/users/{id}", {"is_superuser": True}),
        ("morgana", "PATCH", "/users/{id}", {"is_verified": False}),
        ("morgana", "PATCH", "/users/{id}", {"is_active": False, "password": "a-sword-in-a-stone"}),
        ("morgana", "PUT", "/user-groups/{other}/users/{id}", {"role": "owner"}),
        ("arthur", "PUT", "/user-groups/{group}/users/{id}", {"role": "owner"}),
        ("arthur", "PATCH", "/user-groups/{group}/users/{id}", {"role": "owner"}),
        ("arthur", "POST", "/user-groups/{group}/transfer", {"user_id": "{id}"}),
        ("arthur", "PUT", "/user-groups/{other}/users/{id}", {"role": "member"}),
        ("arthur", "POST", "/user-groups/{other}/invitations", {"email": "{id}@SERVICE.invalid"}),
    ],
    ids=str,
)
async def test_refusals_name_the_rule(squire: Squire, who: str, method: str, path: str, body: dict[str, Any]) -> None:
    other = await squire.world.group("Hunt", members={squire.people["arthur"]: Role.OWNER})
    ids = {"id": squire.id, "group": squire.group.id, "other": other.id}
    body = {name: value.format(**ids) if isinstance(value, str) else value for name, value in body.items()}

    response = await squire.world.client.request(method, path.format(**ids), json=body, headers=squire.headers[who])

    assert (response.status_code, response.json()["detail"]) == (409, "NOT_FOR_SERVICE_ACCOUNTS")


async def test_superuser_can_rename_and_deactivate_it(squire: Squire) -> None:
    """Flags that keep their values are no change."""
    path, headers = f"/users/{squire.id}", squire.headers["morgana"]
    same = {"is_superuser": False, "is_verified": True}

    response = await squire.world.client.patch(
        path, json=same | {"display_name": "Page", "is_active": False}, headers=headers
    )

    assert response.status_code == 200
    assert (response.json()["display_name"], response.json()["is_active"]) == ("Page", False)


@pytest.mark.parametrize("kind", list(MailKind))
async def test_mail_of_every_kind_is_dropped(squire: Squire, kind: MailKind) -> None:
    async with transaction(squire.world.sessionmaker) as db:
        account = await db.get_one(User, uuid.UUID(squire.id))
        await outbox.enqueue(db, kind, [OutgoingMail(account.email, account.id)])
        await outbox.enqueue_notice(db, kind, account)
        await outbox.enqueue_to_email_owner(db, kind, account.email)

    assert await squire.world.mails() == []


async def test_changes_of_its_role_are_not_mailed(squire: Squire) -> None:
    await squire.ask("PATCH", f"/../users/{squire.id}", "kay", {"role": "admin"})

    assert await squire.world.mails() == []


async def test_its_email_is_neither_free_nor_written_to(squire: Squire) -> None:
    for sign_up in (SignUp.OPEN, SignUp.VERIFIED):
        settings = squire.world.state["settings"].model_copy(update={"sign_up": sign_up})
        async with transaction(squire.world.sessionmaker) as db:
            registration = RegistrationManager(db, squire.world.passwords, settings)
            body = RegistrationCreate.model_construct(
                email=email(squire), password="a-sword-in-a-stone", display_name="", invitation=None
            )
            await registration.register(body)

    assert await found(squire) == set()


@pytest.mark.parametrize("role", [Role.MEMBER, Role.OWNER])
async def test_it_accepts_no_invitation_that_is_stored_nevertheless(squire: Squire, role: Role) -> None:
    """As one could be from before, or for an email of a special-use domain."""
    other = await squire.world.group("Hunt", members={squire.people["morgana"]: Role.OWNER})
    token = "from-before"
    async with transaction(squire.world.sessionmaker) as db:
        invitation = Invitation(
            group_id=other.id, email=email(squire), role=role, token_hash=hash_token(token), expires_at=FUTURE
        )
        db.add(invitation)
        await db.flush()
    account = User(id=uuid.UUID(squire.id), email=email(squire), is_verified=True)
    secret = await squire.sign_in(await squire.secret("members:write"))

    over_http = await squire.world.client.post(f"/users/me/invitations/{invitation.id}/accept", headers=secret)

    assert (over_http.status_code, over_http.json()["detail"]) == (409, "NOT_FOR_SERVICE_ACCOUNTS")
    async with transaction(squire.world.sessionmaker) as db:
        with pytest.raises(errors.NotForServiceAccounts):
            await OwnInvitationManager(db).accept_token(token, account)
    async with transaction(squire.world.sessionmaker) as db:
        assert await db.get(Membership, (other.id, account.id)) is None
