"""Concurrent answers to invitations: only one counts, and there are no deadlocks."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from httpx2 import Response
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain.groups import access
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.invitations.sending import InvitationManager
from accounts.models import User
from support.invitations import GALAHAD, Table, table_of
from support.people import PASSWORD, World


@pytest.fixture
async def table(busy_world: World) -> Table:
    return await table_of(busy_world)


@pytest.fixture
async def galahad(busy_world: World) -> dict[str, str]:
    return await busy_world.sign_in(await busy_world.user("galahad", is_verified=True))


def outcomes(answers: list[Response]) -> Counter[tuple[int, str | None]]:
    return Counter((each.status_code, each.json().get("detail") if each.content else None) for each in answers)


async def test_twenty_concurrent_answers_create_one_membership(
    busy_world: World, table: Table, galahad: dict[str, str]
) -> None:
    invitation = (await table.invite(GALAHAD)).json()["id"]
    client, body = busy_world.client, {"token": (await busy_world.token())}

    answers = await asyncio.gather(
        *(client.post("/invitations/accept", json=body, headers=galahad) for _ in range(10)),
        *(client.post(f"/users/me/invitations/{invitation}/accept", headers=galahad) for _ in range(10)),
    )

    assert sum(answer.status_code == 200 for answer in answers) == 1
    assert outcomes(answers).keys() - {(200, None)} <= {(400, "INVITATION_BAD_TOKEN"), (404, "INVITATION_NOT_FOUND")}
    assert (await table.roles())["galahad"] == "member"
    group = (await busy_world.client.get(f"/user-groups/{table.group.id}", headers=galahad)).json()
    assert group["member_count"] == 4


async def test_concurrent_registrations_with_one_token_create_one_member(busy_world: World, table: Table) -> None:
    body = {"email": GALAHAD, "password": PASSWORD, "invitation": await table.token(GALAHAD)}

    answers = await asyncio.gather(*(busy_world.client.post("/auth/register", json=body) for _ in range(5)))

    # The first request creates the account. The others get the same response, or find the token used.
    assert {answer.status_code for answer in answers} <= {201, 400}
    assert 201 in {answer.status_code for answer in answers}
    assert (await table.roles())["galahad"] == "member"


Change = Callable[[Table, str], Awaitable[Response]]


def resend(table: Table, one: str) -> Awaitable[Response]:
    return table.world.client.post(f"{one}/resend", headers=table.admin)


def revoke(table: Table, one: str) -> Awaitable[Response]:
    return table.world.client.delete(one, headers=table.admin)


def delete(table: Table, _: str) -> Awaitable[Response]:
    return table.world.client.delete(f"/user-groups/{table.group.id}", headers=table.owner)


@pytest.mark.parametrize("change", [resend, revoke, delete])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("answer", ["accept", "decline"])
async def test_answer_and_resend_revoke_or_delete_at_once_do_not_both_succeed(
    busy_world: World, table: Table, galahad: dict[str, str], change: Change, answer: str, *, first: bool
) -> None:
    one = f"{table.path}/{(await table.invite(GALAHAD)).json()['id']}"
    body = {"token": (await busy_world.token())}
    answering = busy_world.client.post(f"/invitations/{answer}", json=body, headers=galahad)
    both = [answering, change(table, one)]

    answers = await asyncio.gather(*(both if first else reversed(both)))

    answered, changed = answers if first else reversed(answers)
    assert answered.status_code in {200, 204, 400}
    assert changed.status_code in {200, 204, 404}
    if change is not delete:  # one of the two is too late
        assert (answered.status_code == 400) is (changed.status_code != 404)
        assert ("galahad" in await table.roles()) is (answer == "accept" and answered.status_code == 200)


async def test_accepting_waits_for_the_lock_on_the_group(
    busy_world: World, table: Table, galahad: dict[str, str]
) -> None:
    invitation = (await table.invite(GALAHAD)).json()["id"]
    body = {"token": (await busy_world.token())}

    async with transaction(busy_world.sessionmaker) as db:
        arthur = await UserAdapter(db).get_by_email("arthur@camelot.example.com")
        assert arthur
        await access.lock_group(db, table.group.id, arthur)
        accepting = asyncio.create_task(busy_world.client.post("/invitations/accept", json=body, headers=galahad))
        await asyncio.sleep(0.3)
        assert not accepting.done()
        await InvitationManager(db, busy_world.key).revoke(table.group.id, invitation, arthur)

    assert (await accepting).json()["detail"] == "INVITATION_BAD_TOKEN"


@pytest.mark.parametrize("who", ["galahad", "guinevere"])
async def test_accepting_and_inviting_wait_for_the_lock_on_the_user(
    busy_world: World, table: Table, galahad: dict[str, str], who: str
) -> None:
    """Users are locked before groups, as when a user is deleted."""
    client, body = busy_world.client, {"token": await table.token(GALAHAD)}

    async with transaction(busy_world.sessionmaker) as db:
        user = await UserAdapter(db).get_by_email(f"{who}@camelot.example.com")
        assert user
        await db.exec(select(User).where(col(User.id) == user.id).with_for_update())
        accept = partial(client.post, "/invitations/accept", json=body, headers=galahad)
        waiting = asyncio.create_task(accept() if who == "galahad" else table.invite("kay@x.org"))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await access.lock_group(db, table.group.id, await busy_world.user("morgana", superuser=True))
        await db.delete(user)

    assert ((await waiting).status_code, (await waiting).json()["detail"]) == (404, "USER_NOT_FOUND")
    assert len((await client.get(table.path, headers=table.owner)).json()) == 1
