"""The figures of the dashboard as the worker counts them, from the audit log, sessions and the mail queue."""

from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import func, text, update
from sqlmodel import col, select

from accounts.db.engine import create_engine
from accounts.db.session import create_sessionmaker, transaction
from accounts.domain.audit.log import Action, record
from accounts.domain.figures.counting import COUNT_HOURS, count_active, count_recorded, count_waiting_mail
from accounts.domain.figures.names import NAMES, RECORDED
from accounts.domain.mail.outbox import OutgoingMail, enqueue
from accounts.domain.retention import delete_expired
from accounts.models import AuditEvent, Figure, KnownDevice, MailKind, Period, UserSession
from accounts.models.figures import NAME_LENGTH
from accounts.settings import get_settings
from support.figures import count_all, hour_of, now_of, record_at, stored, totals
from support.mailed_codes import WRONG, Codes
from support.passkeys import sign_in, with_passkey
from support.people import World
from support.second_factors import finish, mfa_token, user_with_app


async def active(world: World) -> dict[str, int]:
    async with transaction(world.sessionmaker) as db:
        await count_active(db)
    return await totals(world, "active.")


async def ago(world: World, days: int) -> datetime:
    return await now_of(world) - timedelta(days=days)


async def store(world: World, period: Period, at: datetime, name: str, value: int) -> None:
    async with transaction(world.sessionmaker) as db:
        db.add(Figure(period=period, at=at, name=name, value=value))


class TestSignUps:
    async def test_counts_people_who_sign_up_and_not_those_whom_an_operator_adds(self, world: World) -> None:
        await world.user("arthur")
        body = {"email": "lancelot@camelot.example.com", "password": "a-sword-in-a-stone"}
        assert (await world.client.post("/auth/register", json=body)).status_code == 201

        await count_all(world)

        assert await stored(world) == {(await hour_of(world), "sign_ups"): 1}


class TestSignIns:
    async def test_are_counted_by_method(self, world: World) -> None:
        arthur, codes = await world.user("arthur", is_verified=True), Codes(world)
        await world.sign_in(arthur)
        token, code = await codes.requested(arthur.email)
        assert (await codes.send(token, code)).status_code == 200
        await record_at(world, await now_of(world), "session.started", arthur, methods=["fed"])
        await record_at(world, await now_of(world), "session.started", arthur, session_id="of an earlier release")

        await count_all(world)

        assert await totals(world, "sign_in.") == {
            f"sign_in.{way}": 1 for way in ("password", "code", "provider", "other")
        }

    async def test_second_factor_is_counted_apart(self, world: World) -> None:
        phone = await user_with_app(world)
        before = (await count_all(world), await totals(world, "sign_in."))[1]
        assert (await finish(world, await mfa_token(world), code=await phone.code())).status_code == 200

        await count_all(world)

        assert await totals(world, "sign_in.") == before | {"sign_in.password.2": 1}

    async def test_passkey_counts_with_a_second_factor(self, world: World) -> None:
        user = await with_passkey(world)
        assert (await sign_in(world, user.key)).status_code == 200

        await count_all(world)

        assert (await totals(world, "sign_in."))["sign_in.passkey.2"] == 1

    async def test_refusals_are_counted_by_method(self, world: World) -> None:
        arthur, codes = await world.user("arthur", is_verified=True), Codes(world)
        await world.login(arthur, "wrong")
        await world.login("nobody@camelot.example.com")
        assert (await codes.send(await codes.request(arthur.email), WRONG)).status_code == 400
        await record_at(world, await now_of(world), "session.refused", arthur, passkey="Phone")
        await record_at(world, await now_of(world), "second_factor.refused", arthur, factor="totp")

        await count_all(world)

        assert await totals(world, "sign_in_refused.") == {
            "sign_in_refused.password": 2,
            "sign_in_refused.code": 1,
            "sign_in_refused.passkey": 1,
            "sign_in_refused.second_factor": 1,
        }


class TestRepeating:
    async def test_counting_twice_gives_the_same_figures(self, world: World) -> None:
        await world.sign_in(await world.user("arthur"))
        await count_all(world)
        once = await stored(world), await stored(world, Period.DAY)

        await count_all(world)

        assert (await stored(world), await stored(world, Period.DAY)) == once

    async def test_gap_is_filled_with_the_same_figures(self, world: World) -> None:
        arthur = await world.user("arthur")
        for hours in (1, 2, 30, 30, 75):
            at = await hour_of(world, hours) + timedelta(minutes=59, seconds=59)
            await record_at(world, at, "session.started", arthur, methods=["pwd"])
        await count_all(world)
        complete = await stored(world), await stored(world, Period.DAY)
        await world.sql("DELETE FROM figure WHERE at > now() - interval '40 hours'")

        await count_all(world)

        assert (await stored(world), await stored(world, Period.DAY)) == complete

    async def test_counting_goes_on_after_the_clock_was_ahead(self, world: World) -> None:
        arthur = await world.user("arthur")
        await store(world, Period.HOUR, await hour_of(world, -48), "sign_ups", 0)
        await record_at(world, await now_of(world), "session.started", arthur, methods=["pwd"])

        await count_all(world)

        assert (await totals(world))["sign_in.password"] == 1

    async def test_event_that_commits_after_its_hour_is_counted(self, world: World) -> None:
        arthur = await world.user("arthur")
        await count_all(world)
        await record_at(world, await hour_of(world) - timedelta(seconds=1), "session.started", arthur, methods=["pwd"])

        await count_all(world)

        assert await stored(world, name="sign_in.") == {(await hour_of(world, 1), "sign_in.password"): 1}

    async def test_first_time_counts_what_the_audit_log_has_day_by_day(self, world: World) -> None:
        arthur = await world.user("arthur")
        await record_at(world, await hour_of(world, 50), "session.started", arthur, methods=["pwd"])

        assert await count_all(world) == 3

        assert (await hour_of(world, 50), "sign_in.password") in await stored(world)

    async def test_events_older_than_a_year_are_not_counted(self, world: World) -> None:
        await record_at(world, await ago(world, 400), "session.started", methods=["pwd"])

        async with transaction(world.sessionmaker) as db:
            assert await count_recorded(db)
            first = (await db.exec(select(func.min(Figure.at)).where(Figure.period == Period.HOUR))).one()

        assert first == await hour_of(world, 24 * 366)

    async def test_deleted_events_do_not_become_zeros(self, world: World) -> None:
        await record_at(world, await hour_of(world, 3), "session.started", methods=["pwd"])
        await count_all(world)
        await world.sql("DELETE FROM audit_event")
        async with transaction(world.sessionmaker) as db:
            assert not await count_recorded(db)
        await record_at(world, await hour_of(world), "session.started", methods=["pwd"])

        await count_all(world)

        assert await totals(world) == {"sign_in.password": 2}

    async def test_hours_without_events_have_zeros(self, world: World) -> None:
        await record_at(world, await hour_of(world, 5), "session.started", methods=["pwd"])
        await count_all(world)

        async with transaction(world.sessionmaker) as db:
            rows = (await db.exec(select(func.count()).where(Figure.period == Period.HOUR))).one()

        assert rows == 6 * len(RECORDED)


class TestDays:
    async def test_have_the_sums_of_their_hours(self, world: World) -> None:
        midnight = (await hour_of(world, 48)).replace(hour=0)
        for hour in (0, 3, 23):
            await record_at(world, midnight + timedelta(hours=hour), "session.started", methods=["pwd"])
        await record_at(world, midnight + timedelta(hours=24), "session.started", methods=["fed"])

        await count_all(world)

        assert await stored(world, Period.DAY) == {
            (midnight, "sign_in.password"): 3,
            (midnight + timedelta(days=1), "sign_in.provider"): 1,
        }

    async def test_take_the_last_number_of_users_and_the_highest_of_waiting_mail(self, world: World) -> None:
        await record_at(world, await hour_of(world, 48), "session.ended")
        await count_all(world)
        midnight = (await hour_of(world, 24)).replace(hour=0)
        for hour, users, mails, refused in ((1, 7, 3, 2), (2, 9, 8, 2), (3, 5, 1, 2)):
            at = midnight + timedelta(hours=hour)
            for name, value in (("active.day", users), ("mail.waiting", mails), ("limited.sign_in", refused)):
                await store(world, Period.HOUR, at, name, value)
        await world.sql("DELETE FROM figure WHERE name = 'sign_ups' AND at > now() - interval '50 hours'")

        await count_all(world)

        days = {name: value for (_, name), value in (await stored(world, Period.DAY)).items()}
        assert days == {"active.day": 5, "mail.waiting": 8, "limited.sign_in": 6}


class TestActiveUsers:
    async def test_are_those_whose_session_was_used_in_the_time(self, world: World) -> None:
        for name, days in (("arthur", 0), ("lancelot", 3), ("gawain", 20), ("mordred", 40)):
            user = await world.user(name)
            await world.sign_in(user)
            changes = [
                update(UserSession)
                .where(col(UserSession.user_id) == user.id)
                .values(last_seen_at=await ago(world, days)),
                update(KnownDevice).where(col(KnownDevice.user_id) == user.id).values(seen_at=await ago(world, days)),
                update(AuditEvent).where(col(AuditEvent.user_id) == user.id).values(at=await ago(world, days)),
            ]
            async with world.owner() as db:
                for change in changes:
                    await db.exec(change)

        assert await active(world) == {"active.day": 1, "active.week": 2, "active.month": 3}

    async def test_include_who_signed_out(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))
        assert (await world.client.post("/auth/jwt/logout", headers=headers)).status_code == 204

        assert await active(world) == {"active.day": 1, "active.week": 1, "active.month": 1}

    async def test_count_once_however_many_sessions_they_have(self, world: World) -> None:
        arthur = await world.user("arthur")
        await world.sign_in(arthur)
        await world.sign_in(arthur)

        assert (await active(world))["active.day"] == 1

    async def test_do_not_include_service_accounts(self, world: World) -> None:
        await world.sign_in(await world.user("arthur"))
        for statement in (
            "UPDATE user_session SET kind = 'service'",
            "DELETE FROM known_device",
            "DELETE FROM audit_event",
        ):
            await world.sql(statement)

        assert await active(world) == {}

    async def test_are_counted_once_an_hour_for_the_hour_that_has_ended(self, world: World) -> None:
        await world.sign_in(await world.user("arthur"))
        once = await active(world)
        await world.sign_in(await world.user("lancelot"))

        assert await active(world) == once
        assert {at for at, _ in await stored(world, name="active.")} == {await hour_of(world, 1)}


class TestWaitingMail:
    async def test_is_the_highest_number_of_the_hour(self, world: World) -> None:
        async with transaction(world.sessionmaker) as db:
            letters = [OutgoingMail(f"knight{each}@camelot.example.com") for each in range(3)]
            await enqueue(db, MailKind.PASSWORD_CHANGED, letters)
            await count_waiting_mail(db)
        await world.sql("DELETE FROM outbox")
        async with transaction(world.sessionmaker) as db:
            await count_waiting_mail(db)

        assert await stored(world) == {(await hour_of(world), "mail.waiting"): 3}


class TestConcurrency:
    async def test_second_worker_counts_nothing_meanwhile(self, owned_database: str) -> None:
        settings = get_settings().model_copy(update={"database_url": SecretStr(owned_database)})
        engine = create_engine(settings, "test")
        workers = create_sessionmaker(engine)
        async with transaction(workers) as db:
            await record(db, Action.SESSION_STARTED)
        async with transaction(workers) as first, transaction(workers) as second:
            await count_recorded(first)
            await count_recorded(second)
            await count_active(second)
            seen = (await second.exec(select(func.count()).select_from(Figure))).one()
        await engine.dispose()

        assert seen == 0


class TestCost:
    async def test_reads_only_the_hours_to_count(self, world: World) -> None:
        await world.sign_in(await world.user("arthur"))
        async with transaction(world.sessionmaker) as db:
            connection = await db.connection()
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            values = {"since": await hour_of(world, 1), "until": await hour_of(world), "names": RECORDED}
            arguments = COUNT_HOURS._arguments(values | {"actions": ["session.started"]})
            plan = str((await connection.exec_driver_sql(f"EXPLAIN {COUNT_HOURS._sql}", arguments)).all())

        assert "ix_audit_event" in plan
        assert "Seq Scan on audit_event" not in plan


async def test_old_figures_are_deleted(world: World) -> None:
    settings = world.state["settings"]
    for period, days in ((Period.HOUR, 31), (Period.HOUR, 34), (Period.DAY, 399), (Period.DAY, 402)):
        await store(world, period, await ago(world, days), "sign_ups", 1)

    async with world.owner() as db:
        deleted = await delete_expired(db, settings)

    assert deleted["figure"] == 2
    assert len(await stored(world)) == len(await stored(world, Period.DAY)) == 1


def test_names_fit_their_column() -> None:
    assert max(map(len, NAMES)) <= NAME_LENGTH


async def test_event_says_how_the_user_signed_in(world: World) -> None:
    await world.sign_in(await world.user("arthur"))

    async with transaction(world.sessionmaker) as db:
        event = (await db.exec(select(AuditEvent).where(AuditEvent.action == "session.started"))).one()

    assert event.detail["methods"] == ["pwd"]
