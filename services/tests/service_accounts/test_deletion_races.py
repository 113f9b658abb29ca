"""Deleting a group deletes its service accounts, which others may be changing: no request deadlocks."""

import asyncio
from typing import Any

import pytest
from httpx2 import Response
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.models import Role, User, UserGroup, Visibility
from support.service_accounts import Squire
from support.waiting import wait_for_locks


@pytest.fixture
def lock_timeout() -> str:
    """Deadlocks, which are found after a second, are errors; waiting is none."""
    return "60s"


@pytest.fixture
async def hunt(busy_squire: Squire) -> UserGroup:
    """Another group, younger than the owning one, of which the service account is an admin."""
    world, morgana = busy_squire.world, busy_squire.people["morgana"]
    hunt = await world.group("Hunt", Visibility.PRIVATE, members={morgana: Role.OWNER})
    path = f"/user-groups/{hunt.id}/users/{busy_squire.id}"
    await world.client.put(path, json={"role": "admin"}, headers=busy_squire.headers["morgana"])
    return hunt


async def delete_group(squire: Squire) -> Response:
    return await squire.world.client.delete(f"/user-groups/{squire.group.id}", headers=squire.headers["arthur"])


async def delete_account(squire: Squire) -> Response:
    return await squire.ask("DELETE", f"/{squire.id}")


async def delete_user(squire: Squire) -> Response:
    return await squire.world.client.delete(f"/users/{squire.id}", headers=squire.headers["morgana"])


DELETIONS = [delete_group, delete_account, delete_user]


@pytest.mark.parametrize("deletion_is_first", [False, True])
@pytest.mark.parametrize("deletion", DELETIONS)
@pytest.mark.parametrize(
    ("method", "group", "path", "body"),
    [
        ("PATCH", "hunt", "/users/{id}", {"role": "member"}),
        ("DELETE", "hunt", "/users/{id}", None),
        ("PUT", "hunt", "/users/{id}", {"role": "member"}),
        ("PATCH", "hunt", "", {"name": "Boar hunt"}),
        ("PATCH", "knights", "/users/{id}", {"role": "admin"}),
        ("DELETE", "knights", "/users/{id}", None),
        ("PATCH", "knights", "/service-accounts/{id}", {"name": "Page"}),
        ("POST", "knights", "/service-accounts", {"name": "Page"}),
    ],
)
async def test_account_can_be_deleted_while_it_is_changed(
    busy_squire: Squire,
    hunt: UserGroup,
    deletion: Any,
    method: str,
    group: str,
    path: str,
    body: Any,
    *,
    deletion_is_first: bool,
) -> None:
    """The first one waits for the group, and the second one for what the first has locked."""
    groups = {"hunt": hunt, "knights": busy_squire.group}
    url = f"/user-groups/{groups[group].id}{path.format(id=busy_squire.id)}"
    client, headers = busy_squire.world.client, busy_squire.headers["morgana"]
    async with transaction(busy_squire.world.sessionmaker) as db:
        await db.exec(select(UserGroup).where(col(UserGroup.id) == groups[group].id).with_for_update())
        requests = [client.request(method, url, json=body, headers=headers), deletion(busy_squire)]
        tasks = []
        for request in reversed(requests) if deletion_is_first else requests:
            tasks.append(asyncio.create_task(request))
            await wait_for_locks(busy_squire.world, len(tasks))

    responses = [await task for task in tasks]
    changed, deleted = reversed(responses) if deletion_is_first else responses

    assert changed.is_success or changed.status_code == 404, changed.text
    assert deleted.status_code == 204, deleted.text


async def test_group_can_be_deleted_while_one_of_its_accounts_removes_another(busy_squire: Squire) -> None:
    """The older account is the caller, so it is locked first in both requests."""
    other = await busy_squire.create("Page", "admin")
    secret = await busy_squire.secret("members:write")
    await busy_squire.ask("PATCH", f"/../users/{busy_squire.id}", json={"role": "admin"})
    token = await busy_squire.sign_in(secret)
    world, path = busy_squire.world, f"/user-groups/{busy_squire.group.id}/users/{other}"
    async with transaction(world.sessionmaker) as db:
        # This holds up the deletion, but not the other request.
        await db.exec(select(User).where(col(User.id) == other).with_for_update(key_share=True, read=True))
        deleting = asyncio.create_task(delete_group(busy_squire))
        await wait_for_locks(world, 1)
        removing = asyncio.create_task(world.client.delete(path, headers=token))
        await wait_for_locks(world, 2)

    deleted, removed = await deleting, await removing

    assert (deleted.status_code, removed.status_code) == (204, 404), (deleted.text, removed.text)


@pytest.mark.parametrize("deletion", DELETIONS)
async def test_tokens_that_are_requested_during_a_deletion_are_refused_or_end_with_it(
    busy_squire: Squire, deletion: Any
) -> None:
    secret = await busy_squire.secret("profile:read")

    responses = await asyncio.gather(
        *[busy_squire.request_token(secret) for _ in range(4)],
        deletion(busy_squire),
        *[busy_squire.request_token(secret) for _ in range(4)],
    )

    assert sorted({response.status_code for response in responses} - {200}) in [[204], [204, 401]]
    tokens = [each.json()["access_token"] for each in responses if each.status_code == 200]
    for token in tokens:
        me = await busy_squire.world.client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
        assert me.status_code == 401
