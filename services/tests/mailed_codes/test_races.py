"""Concurrent attempts with one code: one signs in, and five wrong ones are the last."""

from asyncio import gather

from sqlmodel import select

from accounts.db.session import transaction
from accounts.models import UserSession
from support.mailed_codes import WRONG, Codes
from support.people import World


async def sessions(world: World) -> int:
    async with transaction(world.sessionmaker) as db:
        return len((await db.exec(select(UserSession))).all())


async def test_of_sixteen_clients_with_the_right_code_one_signs_in(busy_world: World) -> None:
    user = await busy_world.user("arthur", is_verified=True)
    codes = Codes(busy_world)
    token, code = await codes.requested(user.email)

    answers = await gather(*(codes.send(token, code) for _ in range(16)))

    assert sorted(each.status_code for each in answers) == [200] + [400] * 15
    assert await sessions(busy_world) == 1


async def test_of_sixteen_clients_who_claim_an_account_one_signs_in(busy_world: World) -> None:
    user = await busy_world.user("arthur")
    codes = Codes(busy_world)
    token, code = await codes.requested(user.email)

    answers = await gather(*(codes.send(token, code) for _ in range(16)))

    assert sorted(each.status_code for each in answers) == [200] + [400] * 15
    assert await sessions(busy_world) == 1


async def test_code_is_gone_after_many_wrong_ones_at_once(busy_world: World) -> None:
    user = await busy_world.user("arthur", is_verified=True)
    codes = Codes(busy_world)
    token, code = await codes.requested(user.email)

    await gather(*(codes.send(token, WRONG) for _ in range(5)))

    assert (await codes.send(token, code)).status_code == 400
    assert await sessions(busy_world) == 0


async def test_code_ends_with_a_change_of_the_password(busy_world: World) -> None:
    user = await busy_world.user("arthur", is_verified=True)
    codes = Codes(busy_world)
    token, code = await codes.requested(user.email)
    headers = await busy_world.sign_in(user)
    changed = await busy_world.client.patch("/users/me", headers=headers, json={"password": "a-sword-in-a-stone"})

    assert changed.status_code == 200
    assert (await codes.send(token, code)).status_code == 400


async def test_deletion_of_the_user_and_attempts_do_not_deadlock(busy_world: World) -> None:
    codes = Codes(busy_world)
    for number in range(4):
        user = await busy_world.user(f"knight{number}", is_verified=True)
        token, code = await codes.requested(user.email)
        headers = await busy_world.sign_in(user)

        deletion = busy_world.client.delete("/users/me", headers=headers)
        attempts = (codes.send(token, each) for each in (WRONG, WRONG, code))
        deleted, *answers = await gather(deletion, *attempts)

        assert deleted.status_code == 204
        assert {each.status_code for each in answers} <= {200, 400}
