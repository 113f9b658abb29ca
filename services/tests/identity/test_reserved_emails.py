"""Reserved email addresses: while a change can be undone, the previous address is taken, and the account stays."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from httpx2 import AsyncClient
from sqlalchemy import text

from accounts.commands import superuser
from accounts.db.session import transaction
from accounts.domain.errors import RegisterUserAlreadyExists
from accounts.domain.identity.email_change import EmailChangeManager
from accounts.domain.identity.user_adapter import IS_RESERVED
from accounts.models import MailKind
from accounts.schemas.identity.users import SuperuserCreate
from accounts.settings import SignUp
from support.invitations import register, table_of
from support.people import PASSWORD, World
from support.schema import plan_without_scans, recorded_statements
from support.waiting import eventually

VICTIM, THIEF, LANCELOT = (f"{name}@camelot.example.com" for name in ("victim", "thief", "lancelot"))
EXPIRE = "UPDATE one_time_token SET expires_at = now() - interval '1 second' WHERE purpose = 'undo_email'"
CONFIRM_OTHER = "UPDATE one_time_token SET email = '{}' WHERE purpose = 'confirm_email'"
TAKE = "UPDATE \"user\" SET email = '{}' WHERE email = '{}'"
PROMOTE = "UPDATE \"user\" SET is_superuser = true WHERE email = '{}'"
Take = Callable[[World, str], Awaitable[int]]


async def request_change(world: World, headers: dict[str, str], email: str) -> str:
    """Request a change of email, and return the token that was mailed."""
    await world.client.patch("/users/me", json={"email": email}, headers=headers)
    return (await world.mails(MailKind.CONFIRM_EMAIL))[-1].token


async def confirm(world: World, token: str) -> int:
    return (await world.client.post("/auth/confirm-email", json={"token": token})).status_code


async def steal(world: World, headers: dict[str, str]) -> str:
    """Change the victim's address, and return the token that undoes it."""
    assert await confirm(world, await request_change(world, headers, THIEF)) == 200
    return (await world.mails(MailKind.EMAIL_CHANGED))[-1].token


async def undo(world: World, token: str) -> int:
    return (await world.client.post("/auth/undo-email", json={"token": token})).status_code


async def reset(world: World) -> None:
    """Choose a password with the token that the undo mails, since it ends the old one."""
    token = (await world.mails(MailKind.RESET))[-1].token
    body = {"token": token, "password": PASSWORD}
    assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200


@pytest.fixture
async def undo_token(world: World) -> str:
    return await steal(world, await world.sign_in(await world.user("victim")))


# All ways in which an address becomes a user's. Each returns the status of its last answer.


async def sign_up(world: World, email: str) -> int:
    return (await world.client.post("/auth/register", json={"email": email, "password": PASSWORD})).status_code


async def sign_up_on_the_page(world: World, email: str) -> int:
    body = {"email": email, "password": PASSWORD}
    return (
        await world.client.post("/account/register", data=body, headers={"Origin": "http://testserver"})
    ).status_code


async def sign_up_by_mailed_token(world: World, email: str) -> int:
    world.change_settings(sign_up=SignUp.VERIFIED)
    status = await sign_up(world, email)
    for mail in await world.mails(MailKind.SIGN_UP):
        body = {"token": mail.token, "password": PASSWORD}
        await world.client.post("/auth/complete-registration", json=body)
    return status


async def change_own_email(world: World, email: str) -> int:
    headers = await world.sign_in(await world.user("lancelot"))
    await world.client.patch("/users/me", json={"email": "free@camelot.example.com"}, headers=headers)
    await world.sql(CONFIRM_OTHER.format(email))
    return await confirm(world, (await world.mails(MailKind.CONFIRM_EMAIL))[-1].token)


async def create_as_superuser(world: World, email: str) -> int:
    headers = await world.sign_in(await world.user("morgana", superuser=True))
    body = {"email": email, "password": PASSWORD}
    return (await world.client.post("/users", json=body, headers=headers)).status_code


async def update_as_superuser(world: World, email: str) -> int:
    headers = await world.sign_in(await world.user("morgana", superuser=True))
    lancelot = await world.user("lancelot")
    return (await world.client.patch(f"/users/{lancelot.id}", json={"email": email}, headers=headers)).status_code


WAYS = [
    (sign_up, 201, 201),
    (sign_up_on_the_page, 303, 303),
    (sign_up_by_mailed_token, 201, 201),
    (change_own_email, 400, 200),
    (create_as_superuser, 400, 201),
    (update_as_superuser, 400, 200),
]


@pytest.mark.parametrize(("take", "refused"), [(take, refused) for take, refused, _ in WAYS])
@pytest.mark.parametrize("email", [VICTIM, VICTIM.upper()])
async def test_address_with_an_open_undo_cannot_be_taken(
    world: World, undo_token: str, take: Take, refused: int, email: str
) -> None:
    assert await take(world, email) == refused

    assert (await world.login(VICTIM)).status_code == 400
    assert await undo(world, undo_token) == 200
    await reset(world)
    assert (await world.login(VICTIM)).status_code == 200


@pytest.mark.parametrize(("take", "status"), [(take, status) for take, _, status in WAYS])
async def test_address_is_free_once_the_undo_has_expired(
    world: World, undo_token: str, take: Take, status: int
) -> None:
    await world.sql(EXPIRE)

    assert await take(world, VICTIM) == status

    async with transaction(world.sessionmaker) as db:
        assert await world.users(db).get_by_email(VICTIM)
    assert await undo(world, undo_token) == 400


async def test_command_refuses_a_reserved_address_before_and_after_the_password_is_typed(
    world: World, undo_token: str
) -> None:
    assert undo_token
    with pytest.raises(RegisterUserAlreadyExists):
        await superuser.refuse_taken(world.sessionmaker, VICTIM)
    with pytest.raises(RegisterUserAlreadyExists):
        async with transaction(world.sessionmaker) as db:
            await world.users(db).create(SuperuserCreate(email=VICTIM, password=PASSWORD))


async def test_invitation_does_not_sign_up_with_a_reserved_address(world: World, undo_token: str) -> None:
    table = await table_of(world)
    token = await table.token(VICTIM)

    response = await register(world, VICTIM, token)

    assert (response.status_code, response.json()["is_verified"]) == (201, True)
    assert "victim" not in await table.roles()
    assert await undo(world, undo_token) == 200


async def test_sign_up_does_the_same_work_for_free_taken_and_reserved_addresses(world: World, undo_token: str) -> None:
    assert undo_token
    seen = []
    for email in (LANCELOT, LANCELOT, VICTIM):
        async with transaction(world.sessionmaker) as db, recorded_statements(db) as statements:
            response = await world.client.post("/auth/register", json={"email": email, "password": PASSWORD})
        body = {name: value for name, value in response.json().items() if not name.endswith(("id", "_at", "email"))}
        seen.append((body, response.headers.keys(), [statement for statement, _ in statements]))

    free, taken, reserved = seen
    assert free[:2] == taken[:2] == reserved[:2]
    assert taken[2] == reserved[2]
    assert (len(free[2]), free[2][:-1]) == (len(taken[2]), taken[2][:-1])  # the last one enqueues a mail


async def request_for_own(world: World, email: str) -> None:
    headers = await world.sign_in(await world.user("lancelot"))
    assert (await world.client.patch("/users/me", json={"email": email}, headers=headers)).status_code == 200


@pytest.mark.parametrize("take", [sign_up, sign_up_by_mailed_token, request_for_own])
async def test_reserved_address_is_notified_without_the_name_of_the_account(
    world: World, undo_token: str, take: Callable[[World, str], Awaitable[object]]
) -> None:
    assert undo_token
    await take(world, VICTIM)

    (mail,) = await world.mails(MailKind.ACCOUNT_EXISTS)
    assert (mail.email, mail.detail) == (VICTIM, {"previous": True})
    assert {each.email for each in await world.mails(MailKind.CONFIRM_EMAIL)} <= {THIEF}
    async with transaction(world.sessionmaker) as db:
        statement = text("SELECT user_id FROM outbox WHERE kind = 'account_exists'")
        assert (await (await db.connection()).execute(statement)).scalar_one() is None


async def test_user_can_return_to_the_own_previous_address(world: World, undo_token: str) -> None:
    headers = await world.sign_in(THIEF)

    assert await confirm(world, await request_change(world, headers, VICTIM)) == 200

    assert (await world.login(VICTIM)).status_code == 200
    assert await undo(world, undo_token) == 200


async def test_undo_ends_the_sessions_of_the_thief(world: World, undo_token: str) -> None:
    thief = await world.sign_in(THIEF)

    assert await undo(world, undo_token) == 200

    assert (await world.client.get("/users/me", headers=thief)).status_code == 401


async def test_undo_is_refused_if_a_user_had_the_address_before_it_was_reserved(world: World, undo_token: str) -> None:
    """A release without reserved addresses let this happen."""
    await world.user("lancelot")
    await world.sql(TAKE.format(VICTIM, LANCELOT))

    response = await world.client.post("/auth/undo-email", json={"token": undo_token})

    assert (response.status_code, response.json()["detail"]) == (400, "UPDATE_USER_EMAIL_ALREADY_EXISTS")
    await sign_up(world, VICTIM)
    assert [mail.detail for mail in await world.mails(MailKind.ACCOUNT_EXISTS)] == [{"previous": False}]


class TestDeletion:
    @pytest.mark.parametrize("path", ["me", "{id}"])
    async def test_account_cannot_be_deleted_by_its_user_while_the_change_can_be_undone(
        self, world: World, undo_token: str, path: str
    ) -> None:
        await world.user("morgana", superuser=True)
        await world.sql(PROMOTE.format(THIEF))
        thief = await world.sign_in(THIEF)
        user_id = (await world.client.get("/users/me", headers=thief)).json()["id"]
        path = f"/users/{path.format(id=user_id)}"

        response = await world.client.delete(path, headers=thief)

        assert (response.status_code, response.json()["detail"]) == (409, "EMAIL_UNDO_OPEN")
        assert response.json()["reason"].startswith("The change can be undone until 2")
        await world.sql(EXPIRE)
        assert (await world.client.delete(path, headers=thief)).status_code == 204
        assert await undo(world, undo_token) == 400

    async def test_account_can_be_deleted_after_the_undo(self, world: World, undo_token: str) -> None:
        await undo(world, undo_token)
        await reset(world)

        assert (await world.client.delete("/users/me", headers=await world.sign_in(VICTIM))).status_code == 204

    async def test_account_can_be_deleted_with_a_change_of_case(self, world: World) -> None:
        headers = await world.sign_in(await world.user("victim"))
        await confirm(world, await request_change(world, headers, VICTIM.upper()))

        assert (await world.client.delete("/users/me", headers=await world.sign_in(VICTIM))).status_code == 204

    async def test_superuser_can_delete_the_account_of_another_user(
        self, client: AsyncClient, world: World, undo_token: str
    ) -> None:
        async with transaction(world.sessionmaker) as db:
            thief = await world.users(db).get_by_email(THIEF)
        admin = await world.sign_in(await world.user("morgana", superuser=True))

        assert (await client.delete(f"/users/{thief.id}", headers=admin)).status_code == 204
        assert await undo(world, undo_token) == 400


class TestRaces:
    @pytest.mark.parametrize("way", ["sign-up", "change"])
    async def test_address_that_a_concurrent_change_frees_is_reserved_at_once(
        self, busy_world: World, way: str
    ) -> None:
        """The attempt waits on the unique index for the change, whose token its first statement could not see."""
        victim = await busy_world.sign_in(await busy_world.user("victim"))
        token = await request_change(busy_world, victim, THIEF)
        lancelot = await busy_world.sign_in(await busy_world.user("lancelot"))
        other = await request_change(busy_world, lancelot, "free@camelot.example.com")
        await busy_world.sql(f"{CONFIRM_OTHER.format(VICTIM)} AND email LIKE 'free%'")

        async with transaction(busy_world.sessionmaker) as db:
            await EmailChangeManager(db, busy_world.state["settings"]).confirm(token)
            attempt = asyncio.create_task(
                sign_up(busy_world, VICTIM) if way == "sign-up" else confirm(busy_world, other)
            )
            await eventually("the attempt waits for the change", lambda: waits_for_a_transaction(busy_world))
        assert await attempt == (201 if way == "sign-up" else 400)

        assert (await busy_world.login(VICTIM)).status_code == 400
        assert await undo(busy_world, (await busy_world.mails(MailKind.EMAIL_CHANGED))[-1].token) == 200

    async def test_undo_wins_against_sign_ups_at_the_same_time(self, busy_world: World) -> None:
        token = await steal(busy_world, await busy_world.sign_in(await busy_world.user("victim")))

        undone, *others = await asyncio.gather(
            undo(busy_world, token), *(sign_up(busy_world, VICTIM) for _ in range(4))
        )

        assert (undone, others) == (200, [201] * 4)
        await reset(busy_world)
        assert (await busy_world.login(VICTIM)).status_code == 200

    async def test_change_or_deletion_at_the_same_time_wins_without_a_deadlock(self, busy_world: World) -> None:
        headers = await busy_world.sign_in(await busy_world.user("victim"))
        token = await request_change(busy_world, headers, THIEF)

        confirmed, deleted = await asyncio.gather(
            confirm(busy_world, token), busy_world.client.delete("/users/me", headers=headers)
        )

        assert (confirmed, deleted.status_code) in {(200, 401), (200, 403), (400, 204)}


async def waits_for_a_transaction(world: World) -> bool:
    async with transaction(world.sessionmaker) as db:
        query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted")
        return bool((await (await db.connection()).execute(query)).scalar_one())


async def test_reservation_is_looked_up_in_an_index(world: World) -> None:
    values = {"email": VICTIM, "user_id": None}
    plan = await plan_without_scans(world.sessionmaker, lambda db: db.scalar(IS_RESERVED, params=values))

    assert "ix_one_time_token_undo_email_lower" in plan
