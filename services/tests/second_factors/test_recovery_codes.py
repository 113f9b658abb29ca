"""Recovery codes: each signs in once, and is reported."""

import asyncio
import re

from sqlmodel import select

from accounts.db.session import transaction
from accounts.models import AuditEvent, MailKind, RecoveryCode, User
from support.people import PASSWORD, World
from support.second_factors import Phone, add_app, age, bearer, elevate, finish, mfa_token, user_with_app


async def left(world: World, phone: Phone) -> int:
    answer = await world.client.get("/users/me/factors", headers=phone.headers)
    return int(answer.json()["recovery_codes_left"])


async def renew(world: World, phone: Phone) -> list[str]:
    created = await world.client.post("/users/me/recovery-codes", headers=phone.headers)
    assert created.status_code == 201, created.text
    assert created.headers["Cache-Control"] == "no-store"
    return list(created.json()["recovery_codes"])


async def test_codes_are_long_and_without_look_alikes_and_stored_as_hashes(world: World) -> None:
    phone = await user_with_app(world)

    for code in phone.recovery_codes:
        assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}", code)  # 80 bits
    async with transaction(world.sessionmaker) as db:
        hashes = (await db.exec(select(RecoveryCode.code_hash))).all()
    assert [len(each) for each in hashes] == [32] * 10


async def test_each_code_signs_in_once(world: World) -> None:
    phone = await user_with_app(world)
    code = phone.recovery_codes[3]

    answers = [await finish(world, await mfa_token(world), recovery_code=code) for _ in range(2)]

    assert [each.status_code for each in answers] == [200, 400]
    assert await left(world, phone) == 9


async def test_code_is_read_as_people_write_it(world: World) -> None:
    phone = await user_with_app(world)
    written = phone.recovery_codes[0].lower().replace("-", " ").replace("0", "o").replace("1", "l")

    assert (await finish(world, await mfa_token(world), recovery_code=written)).status_code == 200


async def test_code_elevates_a_session(world: World) -> None:
    phone = await user_with_app(world)
    await age(world)

    assert (await elevate(world, phone.headers, recovery_code=phone.recovery_codes[0])).status_code == 204
    assert (await world.client.delete("/users/me/totp", headers=phone.headers)).status_code == 204


async def test_use_is_recorded_for_the_user_and_reported_by_mail(world: World) -> None:
    phone = await user_with_app(world)
    await world.sql("DELETE FROM outbox")

    await finish(world, await mfa_token(world), recovery_code=phone.recovery_codes[0])

    [mail] = await world.mails(MailKind.SECURITY_CHANGED)
    assert mail.detail == {"change": "recovery_code_used", "factor_name": "", "address": "127.0.0.1"}
    activity = (await world.client.get("/users/me/activity", headers=phone.headers)).json()
    [event] = [each for each in activity if each["action"] == "recovery_code.used"]
    assert event["by_me"]


async def test_after_the_last_code_none_is_offered(world: World) -> None:
    phone = await user_with_app(world)
    for code in phone.recovery_codes:
        bearer(await finish(world, await mfa_token(world), recovery_code=code))

    refused = await world.login("arthur@camelot.example.com")

    assert refused.json()["factors"] == ["totp"]
    assert await left(world, phone) == 0


async def test_new_codes_replace_the_old_ones(world: World) -> None:
    phone = await user_with_app(world)
    await world.sql("DELETE FROM outbox")

    new = await renew(world, phone)

    assert (await finish(world, await mfa_token(world), recovery_code=phone.recovery_codes[0])).status_code == 400
    assert (await finish(world, await mfa_token(world), recovery_code=new[0])).status_code == 200
    assert [mail.detail["change"] for mail in await world.mails(MailKind.SECURITY_CHANGED)] == [
        "recovery_codes_created"
    ]


async def test_new_codes_require_a_recent_second_factor(world: World) -> None:
    phone = await user_with_app(world)
    await age(world)

    body = {"current_password": PASSWORD}
    stale = await world.client.post("/users/me/recovery-codes", json=body, headers=phone.headers)

    assert (stale.status_code, stale.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")


async def test_codes_exist_beside_another_factor_only(world: World) -> None:
    headers = await world.sign_in(await world.user("arthur"))

    refused = await world.client.post("/users/me/recovery-codes", headers=headers)

    assert (refused.status_code, refused.json()["detail"]) == (409, "NO_SECOND_FACTOR")


async def test_code_of_another_user_is_refused(world: World) -> None:
    await user_with_app(world)
    mordred = await user_with_app(world, "mordred")

    assert (await finish(world, await mfa_token(world), recovery_code=mordred.recovery_codes[0])).status_code == 400


async def test_of_sixteen_clients_with_one_code_one_signs_in(busy_world: World) -> None:
    phone = await user_with_app(busy_world)
    tokens = [await mfa_token(busy_world) for _ in range(16)]

    answers = await asyncio.gather(
        *(finish(busy_world, token, recovery_code=phone.recovery_codes[0]) for token in tokens)
    )

    assert sorted(each.status_code for each in answers) == [200] + [400] * 15
    assert await left(busy_world, phone) == 9


async def test_of_two_renewals_at_once_one_set_is_left(busy_world: World) -> None:
    phone = await user_with_app(busy_world)

    sets = await asyncio.gather(*(renew(busy_world, phone) for _ in range(4)))

    assert await left(busy_world, phone) == 10
    valid = [(await finish(busy_world, await mfa_token(busy_world), recovery_code=each[0])).is_success for each in sets]
    assert sorted(valid) == [False, False, False, True]


async def test_app_beside_another_factor_leaves_the_recovery_codes_as_they_are(world: World) -> None:
    phone = await user_with_app(world)
    await world.sql("DELETE FROM totp")  # the codes stay, as beside a passkey

    other = await add_app(world, phone.headers)

    assert other.recovery_codes == []
    assert (await finish(world, await mfa_token(world), recovery_code=phone.recovery_codes[0])).status_code == 200


async def test_no_secret_is_recorded_or_mailed(world: World) -> None:
    phone = await user_with_app(world)
    await finish(world, await mfa_token(world), recovery_code=phone.recovery_codes[0])
    await renew(world, phone)

    export = (await world.client.get("/users/me/export", headers=phone.headers)).text
    async with transaction(world.sessionmaker) as db:
        events = [str(each) for each in (await db.exec(select(AuditEvent.detail))).all()]
        assert (await db.exec(select(User.second_factors))).all() == [["totp", "recovery_code"]]
    everything = export + "".join(events) + str(await world.mails())
    for secret in (phone.app.secret, *phone.recovery_codes):
        assert secret not in everything


async def test_app_that_is_added_again_keeps_no_codes_of_the_one_before(world: World) -> None:
    phone = await user_with_app(world)
    await world.client.delete("/users/me/totp", headers=phone.headers)
    await add_app(world, phone.headers)

    assert (await finish(world, await mfa_token(world), recovery_code=phone.recovery_codes[0])).status_code == 400
