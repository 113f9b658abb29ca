"""Counts the audit log by hour, and sums hours up by day. The worker does it once a minute.

What is counted is stored in place of what was there, so counting twice, or in two workers, changes nothing. Each time
begins an hour before the last hour that was counted: that one was not over, and events become visible a while after
their time, when their transaction commits. After a gap it begins at the same place, and in an empty table with the
oldest event.
"""

from datetime import timedelta

from sqlalchemy import func
from sqlmodel import select

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.audit.log import Action
from accounts.domain.figures.names import (
    ACTIVE,
    ACTIVE_DAYS,
    MAIL_WAITING,
    OTHER_WAY,
    RECORDED,
    REFUSED_SIGN_INS,
    SIGN_INS,
    SIGN_UPS,
    WAYS,
    WITH_SECOND_FACTOR,
)
from accounts.domain.mail import queue
from accounts.models import Method, Period, SessionKind

STEP = timedelta(days=1)  # of one transaction, while there is more to count
YEAR = timedelta(days=366)  # older events are not counted
LOCK = 5_217_903_684  # of PostgreSQL's advisory locks: one worker counts at a time
# The audit log of a large service takes longer than other statements may.
NO_TIMEOUT = select(func.set_config("statement_timeout", "0", True))
TRY_LOCK = CompiledStatement(f"SELECT pg_try_advisory_xact_lock({LOCK})")
ACTIONS = (Action.USER_CREATED, Action.SESSION_STARTED, Action.SESSION_REFUSED, Action.SECOND_FACTOR_REFUSED)
# Where to go on, also after the clock was ahead for a while. Only events that still exist are counted: those that were
# deleted must not become zeros.
SELECT_START = CompiledStatement(f"""
    SELECT greatest(
        (SELECT max(at) - interval '1 hour' FROM figure
            WHERE period = '{Period.HOUR}' AND name = '{SIGN_UPS}' AND at <= now()),
        (SELECT date_trunc('hour', min(at), 'UTC') FROM audit_event),
        date_trunc('hour', now() - CAST(:longest AS interval), 'UTC')
    ), date_trunc('hour', now(), 'UTC') + interval '1 hour'
    FROM (SELECT 1) AS always WHERE EXISTS (SELECT FROM audit_event)
""")  # noqa: S608  # only constants are interpolated
_WAYS = " ".join(f"WHEN '{method}' THEN '{way}'" for method, way in WAYS.items())
_NAMES = f"""
    CASE action
    WHEN '{Action.USER_CREATED}' THEN CASE WHEN actor_id = user_id THEN '{SIGN_UPS}' END
    WHEN '{Action.SESSION_STARTED}' THEN '{SIGN_INS}'
        || CASE detail -> 'methods' ->> 0 {_WAYS} ELSE '{OTHER_WAY}' END
        || CASE WHEN detail -> 'methods' ? '{Method.MULTIPLE}' THEN '{WITH_SECOND_FACTOR}' ELSE '' END
    WHEN '{Action.SECOND_FACTOR_REFUSED}' THEN '{REFUSED_SIGN_INS}second_factor'
    ELSE '{REFUSED_SIGN_INS}' || CASE
        WHEN detail ? 'passkey' THEN 'passkey'
        WHEN detail ->> 'method' = '{Method.MAILED_CODE}' THEN 'code'
        ELSE 'password' END
    END
"""
# Hours without events get zeros. Rows that do not change are not written.
COUNT_HOURS = CompiledStatement(f"""
    WITH named AS MATERIALIZED (
        SELECT date_trunc('hour', at, 'UTC') AS at, {_NAMES} AS name FROM audit_event
        WHERE action = ANY(:actions) AND at >= :since AND at < :until
    ), counted AS (SELECT at, name, count(*) AS value FROM named GROUP BY at, name)
    INSERT INTO figure (period, at, name, value)
    SELECT '{Period.HOUR}', at, name, coalesce(value, 0)
    FROM generate_series(
        CAST(:since AS timestamptz), CAST(:until AS timestamptz) - interval '1 hour', interval '1 hour'
    ) AS at CROSS JOIN unnest(CAST(:names AS text[])) AS name LEFT JOIN counted USING (at, name)
    ON CONFLICT (period, at, name) DO UPDATE SET value = excluded.value WHERE figure.value <> excluded.value
""")  # noqa: S608  # only constants are interpolated
# Of a number of users the last one counts, of waiting mail the highest.
SUM_UP_DAYS = CompiledStatement(f"""
    INSERT INTO figure (period, at, name, value)
    SELECT '{Period.DAY}', date_trunc('day', at, 'UTC') AS day, name, CASE
        WHEN name LIKE '{ACTIVE}%' THEN (array_agg(value ORDER BY at DESC))[1]
        WHEN name = '{MAIL_WAITING}' THEN max(value) ELSE sum(value) END
    FROM figure
    WHERE period = '{Period.HOUR}' AND at >= date_trunc('day', CAST(:since AS timestamptz), 'UTC')
        AND at < date_trunc('day', CAST(:until AS timestamptz) - interval '1 hour', 'UTC') + interval '1 day'
    GROUP BY day, name
    ON CONFLICT (period, at, name) DO UPDATE SET value = excluded.value WHERE figure.value <> excluded.value
""")  # noqa: S608  # only constants are interpolated
_TOTALS = ", ".join(
    f"count(*) FILTER (WHERE ago <= interval '{days} days') AS in_{days}" for days in ACTIVE_DAYS.values()
)
_ROWS = ", ".join(f"('{name}', in_{days})" for name, days in ACTIVE_DAYS.items())
# For the hour before, at whose end they are counted. A session says when it was last used. Those that have ended are
# gone: for them there are the devices, which say within a day when a user last signed in with them, and the sign-ins of
# the last day.
COUNT_ACTIVE = CompiledStatement(f"""
    WITH seen AS (
        SELECT user_id, last_seen_at AS at FROM user_session
        WHERE kind <> '{SessionKind.SERVICE}' AND last_seen_at >= now() - interval '{max(ACTIVE_DAYS.values())} days'
        UNION ALL
        SELECT user_id, seen_at FROM known_device WHERE seen_at >= now() - interval '{max(ACTIVE_DAYS.values())} days'
        UNION ALL
        SELECT user_id, at FROM audit_event
        WHERE action = '{Action.SESSION_STARTED}' AND at >= now() - interval '1 day'
    ), latest AS (SELECT now() - max(at) AS ago FROM seen GROUP BY user_id),
    totals AS (SELECT {_TOTALS} FROM latest)
    INSERT INTO figure (period, at, name, value)
    SELECT '{Period.HOUR}', date_trunc('hour', now(), 'UTC') - interval '1 hour', name, value
    FROM totals CROSS JOIN LATERAL (VALUES {_ROWS}) AS given (name, value)
    ON CONFLICT DO NOTHING
""")  # noqa: S608  # only constants are interpolated
HAS_ACTIVE = CompiledStatement(f"""
    SELECT FROM figure WHERE period = '{Period.HOUR}' AND name = '{next(iter(ACTIVE_DAYS))}'
        AND at = date_trunc('hour', now(), 'UTC') - interval '1 hour'
""")
STORE_HIGHEST = CompiledStatement(f"""
    INSERT INTO figure (period, at, name, value)
    VALUES ('{Period.HOUR}', date_trunc('hour', now(), 'UTC'), :name, :value)
    ON CONFLICT (period, at, name) DO UPDATE SET value = excluded.value WHERE figure.value < excluded.value
""")  # noqa: S608  # only constants are interpolated


async def count_recorded(db: Session) -> bool:
    """Count the next day of the audit log, or what has come since the last time.

    Returns:
        Whether there is more to count.

    """
    if not await _begin(db):
        return False
    rows = await SELECT_START.run(db, longest=YEAR)
    if not rows:
        return False
    ((since, now),) = rows
    until = min(now, since + STEP)
    await COUNT_HOURS.run(db, since=since, until=until, actions=[*ACTIONS], names=RECORDED)
    await SUM_UP_DAYS.run(db, since=since, until=until)
    return bool(until < now)


async def count_active(db: Session) -> None:
    """Count the users who were active in the last day, week and month, once an hour: it reads all sessions."""
    if await _begin(db) and not await HAS_ACTIVE.run(db):
        await COUNT_ACTIVE.run(db)


async def count_waiting_mail(db: Session) -> None:
    """Store how many mails wait, if it is the highest number of this hour."""
    await STORE_HIGHEST.run(db, name=MAIL_WAITING, value=(await queue.backlog(db)).waiting)


async def _begin(db: Session) -> bool:
    """Lift the timeout, and return whether no other worker counts."""
    await db.exec(NO_TIMEOUT)
    ((alone,),) = await TRY_LOCK.run(db)
    return bool(alone)
