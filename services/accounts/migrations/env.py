"""Alembic's environment. All migrations run in one transaction, so a failure changes nothing."""

import asyncio
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from asyncpg import PostgresError
from sqlalchemy import Connection, NullPool, TypeDecorator, text
from sqlalchemy.exc import DBAPIError

from accounts.commands.run import fail, reason
from accounts.db.connect import engine_to
from accounts.db.errors import DATABASE_CLOSED, sqlstate
from accounts.migrations import roles
from accounts.models import Base
from accounts.settings import get_settings

LOCK_KEY = 0x6163636F756E7473  # "accounts" in ASCII: one migration at a time on a database
TURN_TIMEOUT = "60s"  # how long to wait for another migration process
LOCK_TIMEOUT = "2s"  # how long a statement may wait for a table lock; other clients queue behind it
STATEMENT_TIMEOUT = "10min"  # how long a statement may hold its locks
UNUSABLE = ("3D000", DATABASE_CLOSED)  # the database is missing, or invalid since an interrupted DROP DATABASE
REPAIR = "; restore a backup (make restore FILE=…), or delete all data and start from nothing (make clean)"


def render_item(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Render the types of SQLModel and FastAPI Users as plain SQLAlchemy types.

    So migrations import only Alembic and SQLAlchemy, and keep working when the other libraries change.
    """
    if kind != "type" or not isinstance(item, TypeDecorator) or autogenerate.dialect is None:
        return False
    plain = item.load_dialect_impl(autogenerate.dialect)
    return f"sa.{plain.as_generic()!r}"


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=render_item,
        compare_server_default=True,
    )
    with context.begin_transaction():
        connection.execute(text(f"SET LOCAL lock_timeout = '{TURN_TIMEOUT}'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
        context.run_migrations()
        password = get_settings().postgres_api_password
        roles.create_api_role(connection, password.get_secret_value() if password else None)


def write() -> None:
    """Print the SQL of the migrations (``--sql``). Roles are left out, since they depend on the database."""
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        context.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
        context.run_migrations()


async def main() -> None:
    url = context.config.attributes.get("url") or get_settings().database
    engine = engine_to(url, "migrate", poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
    except (DBAPIError, PostgresError, OSError) as error:
        hint = REPAIR if sqlstate(error) in UNUSABLE else ""
        fail("migrate", f"nothing was changed: {reason(error)}{hint}")
    finally:
        await engine.dispose()


if context.is_offline_mode():
    write()
else:
    asyncio.run(main())
