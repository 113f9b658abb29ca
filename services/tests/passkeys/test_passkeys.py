"""A user's passkeys: added in a ceremony of the own session, listed, renamed and removed."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import func, select

from accounts.db.session import transaction
from accounts.domain.passkeys.passkeys import PASSKEYS_PER_USER
from accounts.models import MailKind, Passkey, User
from support.authenticator import BACKUP_ELIGIBLE, FLAGS, PRESENT, Authenticator, b64, user_id_in
from support.passkeys import MINE, PasskeyUser, code, sign_in, with_passkey
from support.people import PASSWORD, World


async def signed_in(world: World, name: str = "arthur") -> PasskeyUser:
    user = await world.user(name)
    return PasskeyUser(world, user, await world.sign_in(user))


async def elsewhere(person: PasskeyUser) -> PasskeyUser:
    """The same user in another session."""
    tokens = (await sign_in(person.world, person.key)).json()
    return PasskeyUser(person.world, person.user, {"Authorization": f"Bearer {tokens['access_token']}"}, person.key)


async def actions(person: PasskeyUser) -> list[str]:
    events = await person.world.client.get("/users/me/activity", headers=person.headers)
    return [event["action"] for event in events.json()]


async def notices(world: World) -> list[tuple[str, str]]:
    return [
        (mail.detail["change"], mail.detail["factor_name"]) for mail in await world.mails(MailKind.SECURITY_CHANGED)
    ]


class TestOptions:
    async def test_creation_requires_a_discoverable_key_and_user_verification(self, world: World) -> None:
        arthur = await signed_in(world)

        options = await arthur.options()

        assert options["authenticatorSelection"] == {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        }
        assert (options["rp"]["id"], options["attestation"]) == ("localhost", "none")
        assert user_id_in(options) == arthur.user.id.bytes

    async def test_creation_excludes_the_passkeys_that_the_user_has(self, world: World) -> None:
        arthur = await with_passkey(world)

        [excluded] = (await arthur.options())["excludeCredentials"]

        assert excluded == {"type": "public-key", "id": b64(arthur.key.id), "transports": ["hybrid", "internal"]}

    @pytest.mark.parametrize("transports", [5, True, {"usb": 1}, "usb", [["usb"]], None])
    async def test_transports_that_are_no_list_of_words_are_ignored(self, world: World, transports: Any) -> None:
        arthur = await signed_in(world)
        created = arthur.key.create(await arthur.options(), transports=transports)

        assert (await arthur.post(MINE, {"name": "Phone", "passkey": created})).status_code == 201

    async def test_old_sign_in_requires_the_password(self, world: World) -> None:
        arthur = await signed_in(world)
        await world.sql("UPDATE user_session SET authenticated_at = now() - interval '601 seconds'")

        refused = await arthur.post(f"{MINE}/options")
        options = await arthur.options(current_password=PASSWORD)

        assert code(refused) == (403, "REAUTHENTICATION_REQUIRED")
        created = arthur.key.create(options)
        assert (await arthur.post(MINE, {"name": "Phone", "passkey": created})).status_code == 201

    async def test_password_alone_does_not_suffice_with_a_second_factor(self, world: World) -> None:
        arthur = await with_passkey(world)
        await world.sql("UPDATE user_session SET authenticated_at = now() - interval '601 seconds'")

        refused = await arthur.post(f"{MINE}/options", {"current_password": PASSWORD})

        assert code(refused) == (403, "REAUTHENTICATION_REQUIRED")
        assert 'acr_values="aal2"' in refused.headers["WWW-Authenticate"]

    @pytest.mark.parametrize(
        "public_url", ["http://accounts.example.com", "https://192.0.2.1", "http://127.0.0.1:8000"]
    )
    async def test_passkeys_are_unavailable_where_browsers_refuse_them(self, world: World, public_url: str) -> None:
        arthur = await signed_in(world)
        world.change_settings(public_url=public_url)

        refusals = [await arthur.post(f"{MINE}/options"), await arthur.post("/auth/passkeys/options")]

        assert [*map(code, refusals)] == 2 * [(403, "PASSKEYS_UNAVAILABLE")]


class TestAdding:
    async def test_passkey_is_listed_reported_and_a_second_factor(self, world: World) -> None:
        arthur = await signed_in(world)

        added = (await arthur.add()).json()

        assert added == (await arthur.passkeys())[0]
        assert (added["name"], added["backup_eligible"], added["last_used_at"]) == ("Phone", False, None)
        assert (await arthur.password_sign_in())["factors"] == ["passkey"]
        assert await notices(world) == [("passkey_added", "Phone")]
        assert "passkey.added" in await actions(arthur)

    async def test_session_that_adds_a_passkey_gets_level_2(self, world: World) -> None:
        arthur = await with_passkey(world)

        assert (await arthur.add(Authenticator(), "Laptop")).status_code == 201

        assert [passkey["name"] for passkey in await arthur.passkeys()] == ["Phone", "Laptop"]

    async def test_first_second_factor_ends_the_sessions_that_began_without_one(self, world: World) -> None:
        arthur = await signed_in(world)
        other = await world.sign_in(arthur.user)

        await arthur.add()

        assert (await world.client.get("/users/me", headers=other)).status_code == 401
        assert (await world.client.get("/users/me", headers=arthur.headers)).status_code == 200

    async def test_further_passkey_ends_no_session(self, world: World) -> None:
        arthur = await with_passkey(world)
        other = await elsewhere(arthur)

        await arthur.add(Authenticator(), "Laptop")

        assert (await world.client.get("/users/me", headers=other.headers)).status_code == 200

    async def test_passkeys_are_counted_among_the_second_factors(self, world: World) -> None:
        arthur = await with_passkey(world)

        factors = await world.client.get("/users/me/factors", headers=arthur.headers)

        assert factors.json()["passkeys"] == 1

    async def test_synchronised_passkey_is_listed_as_such(self, world: World) -> None:
        arthur = await with_passkey(world, flags=FLAGS | BACKUP_ELIGIBLE)

        assert (await arthur.passkeys())[0]["backup_eligible"] is True

    @pytest.mark.parametrize(
        "forgery",
        [
            {"origin": "https://accounts.example.org"},
            {"origin": "http://localhost:8001"},
            {"rp_id": "example.org"},
            {"flags": PRESENT},
            {"flags": 0},
            {"cross_origin": True},
            {"id": bytes(1024)},
        ],
        ids=["other origin", "other port", "other domain", "user not verified", "no user", "in a frame", "long id"],
    )
    async def test_forged_response_is_refused(self, world: World, forgery: dict[str, object]) -> None:
        arthur = await signed_in(world)
        arthur.key = Authenticator(**forgery)  # type: ignore[arg-type]  # of several fields

        assert code(await arthur.add()) == (400, "BAD_PASSKEY")
        assert await arthur.passkeys() == []

    async def test_challenge_is_used_up_by_a_refused_response(self, world: World) -> None:
        arthur = await signed_in(world)
        options = await arthur.options()
        refused = await arthur.post(MINE, {"name": "X", "passkey": Authenticator(flags=PRESENT).create(options)})

        again = await arthur.post(MINE, {"name": "X", "passkey": arthur.key.create(options)})

        assert [code(refused), code(again)] == 2 * [(400, "BAD_PASSKEY")]

    async def test_challenge_of_another_user_session_or_ceremony_is_refused(self, world: World) -> None:
        arthur, lancelot = await with_passkey(world), await signed_in(world, "lancelot")
        other = await elsewhere(arthur)
        challenges = [
            await lancelot.options(),
            await other.options(),
            await arthur.options("/auth/elevate/passkey-options"),
            await arthur.options("/auth/passkeys/options"),
        ]
        user = (await arthur.options())["user"]

        for options in challenges:
            created = Authenticator().create({"user": user, "challenge": options["challenge"]})
            assert code(await arthur.post(MINE, {"name": "X", "passkey": created})) == (400, "BAD_PASSKEY")

    async def test_expired_challenge_is_refused(self, world: World) -> None:
        arthur = await signed_in(world)
        options = await arthur.options()
        await world.sql("UPDATE webauthn_challenge SET expires_at = now()")

        refused = await arthur.post(MINE, {"name": "X", "passkey": arthur.key.create(options)})

        assert code(refused) == (400, "BAD_PASSKEY")

    async def test_passkey_of_another_user_cannot_be_added(self, world: World) -> None:
        arthur, lancelot = await with_passkey(world), await signed_in(world, "lancelot")

        assert code(await lancelot.add(arthur.key)) == (409, "PASSKEY_EXISTS")

    async def test_of_two_sessions_that_add_the_first_passkey_at_once_one_ends(self, busy_world: World) -> None:
        arthur = await signed_in(busy_world)
        other = PasskeyUser(busy_world, arthur.user, await busy_world.sign_in(arthur.user))
        created = [(each, each.key.create(await each.options())) for each in (arthur, other)]

        answers = await asyncio.gather(*(each.post(MINE, {"name": "X", "passkey": key}) for each, key in created))

        assert sorted(answer.status_code for answer in answers) in ([201, 401], [201, 404])

    async def test_one_of_many_concurrent_responses_to_a_challenge_is_accepted(self, busy_world: World) -> None:
        arthur = await signed_in(busy_world)
        options = await arthur.options()
        keys = [Authenticator() for _ in range(16)]

        answers = await asyncio.gather(
            *(arthur.post(MINE, {"name": "Phone", "passkey": key.create(options)}) for key in keys)
        )

        assert sorted(answer.status_code for answer in answers) == [201, *15 * [400]]

    async def test_concurrent_passkeys_do_not_exceed_the_limit(self, busy_world: World) -> None:
        arthur = await signed_in(busy_world)
        for number in range(PASSKEYS_PER_USER - 1):
            assert (await arthur.add(Authenticator(), str(number))).status_code == 201
        begun = [Authenticator().create(await arthur.options()) for _ in range(8)]

        answers = await asyncio.gather(*(arthur.post(MINE, {"name": "X", "passkey": each}) for each in begun))

        assert sorted(answer.status_code for answer in answers) == [201, *7 * [409]]
        assert code(await arthur.post(f"{MINE}/options")) == (409, "TOO_MANY_PASSKEYS")


class TestRenaming:
    async def test_passkey_gets_another_name(self, world: World) -> None:
        arthur = await with_passkey(world)
        [passkey] = await arthur.passkeys()
        path = f"{MINE}/{passkey['id']}"

        renamed = await world.client.patch(path, json={"name": " Tablet "}, headers=arthur.headers)

        assert renamed.json() == passkey | {"name": "Tablet"}

    async def test_user_cannot_rename_or_remove_another_users_passkey(self, world: World) -> None:
        arthur, lancelot = await with_passkey(world), await with_passkey(world, "lancelot")
        path = f"{MINE}/{(await arthur.passkeys())[0]['id']}"

        renamed = await world.client.patch(path, json={"name": "Mine"}, headers=lancelot.headers)
        removed = await world.client.delete(path, headers=lancelot.headers)

        assert [code(renamed), code(removed)] == 2 * [(404, "PASSKEY_NOT_FOUND")]
        assert (await sign_in(world, arthur.key)).status_code == 200


class TestRemoving:
    async def remove(self, person: PasskeyUser, passkey_id: object = None) -> tuple[int, str]:
        passkey_id = passkey_id or (await person.passkeys())[0]["id"]
        response = await person.world.client.delete(f"{MINE}/{passkey_id}", headers=person.headers)
        return response.status_code, response.text and response.json()["detail"]

    async def test_removed_passkey_no_longer_signs_in_nor_is_a_factor(self, world: World) -> None:
        arthur = await with_passkey(world)

        assert await self.remove(arthur) == (204, "")

        assert code(await sign_in(world, arthur.key)) == (400, "BAD_PASSKEY")
        assert (await world.login(arthur.user)).status_code == 200
        assert "passkey.removed" in await actions(arthur)

    async def test_user_is_told_of_the_removal(self, world: World) -> None:
        arthur = await with_passkey(world)
        await world.sql("DELETE FROM outbox")

        await self.remove(arthur)

        assert await notices(world) == [("passkey_removed", "Phone")]

    async def test_removal_ends_the_other_sessions(self, world: World) -> None:
        arthur = await with_passkey(world)
        other = await elsewhere(arthur)

        await self.remove(arthur)

        assert (await world.client.get("/users/me", headers=other.headers)).status_code == 401
        assert (await world.client.get("/users/me", headers=arthur.headers)).status_code == 200

    async def test_removal_requires_a_recent_sign_in_with_a_factor(self, world: World) -> None:
        arthur = await with_passkey(world)
        await world.sql("UPDATE user_session SET authenticated_at = now() - interval '601 seconds'")

        assert await self.remove(arthur) == (403, "REAUTHENTICATION_REQUIRED")

    async def test_unknown_passkey_is_not_found(self, world: World) -> None:
        arthur = await with_passkey(world)

        assert await self.remove(arthur, uuid4()) == (404, "PASSKEY_NOT_FOUND")

    async def test_last_way_in_cannot_be_removed(self, world: World) -> None:
        arthur = await with_passkey(world)
        await world.sql("""UPDATE "user" SET hashed_password = '!'""")

        assert await self.remove(arthur) == (409, "LAST_WAY_IN")
        assert (await sign_in(world, arthur.key)).status_code == 200

    async def test_concurrent_removals_leave_a_way_in(self, busy_world: World) -> None:
        arthur = await with_passkey(busy_world)
        await arthur.add(Authenticator(), "Laptop")
        await busy_world.sql("""UPDATE "user" SET hashed_password = '!'""")
        first, second = await arthur.passkeys()

        answers = await asyncio.gather(self.remove(arthur, first["id"]), self.remove(arthur, second["id"]))

        assert sorted(answers) == [(204, ""), (409, "LAST_WAY_IN")]

    async def test_undone_change_of_the_email_removes_the_passkeys(self, world: World) -> None:
        arthur = await with_passkey(world)
        change = {"email": "mordred@camelot.example.com"}
        await world.client.patch("/users/me", json=change, headers=arthur.headers)
        await world.client.post("/auth/confirm-email", json={"token": await world.token()})
        [token] = [mail.token for mail in await world.mails(MailKind.EMAIL_CHANGED)]

        undone = await world.client.post("/auth/undo-email", json={"token": token})

        assert undone.status_code == 200, undone.text
        assert code(await sign_in(world, arthur.key)) == (400, "BAD_PASSKEY")
        async with transaction(world.sessionmaker) as db:
            assert (await db.exec(select(User.second_factors))).one() == []

    async def test_deleted_user_leaves_no_passkey(self, world: World) -> None:
        arthur = await with_passkey(world)

        assert (await world.client.delete("/users/me", headers=arthur.headers)).status_code == 204

        async with transaction(world.sessionmaker) as db:
            assert (await db.exec(select(func.count()).select_from(Passkey))).one() == 0
