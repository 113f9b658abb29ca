"""The role that the API connects as. It reads and writes rows, but can change neither the schema nor the audit log.

So an attacker who controls the API can neither delete nor backdate the traces.
"""

import hashlib
import hmac
import os
import unicodedata
from base64 import b64encode

from sqlalchemy import Connection, inspect

from accounts.db.connect import KEEPALIVES
from accounts.db.engine import SERVER_SETTINGS
from accounts.models import Base

ROLE = "accounts_api"
ITERATIONS = 4096  # PostgreSQL's own scram_iterations

# Roles belong to the server, not to a database: a migration of another database may create it at the same time.
CREATE = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
        CREATE ROLE {ROLE} LOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE 'the role {ROLE} is missing, and % may not create it; as a superuser, run: CREATE ROLE {ROLE} LOGIN',
            current_user;
END $$"""
# What every role has by default (PUBLIC), or what an earlier version granted. Without temporary objects and without
# CREATE on a schema, there is no place for a table or a function.
REVOKES = (
    f"REVOKE CREATE, TEMPORARY ON DATABASE {{database}} FROM PUBLIC, {ROLE}",
    f"REVOKE CREATE ON SCHEMA public FROM PUBLIC, {ROLE}",
    f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ROLE}",  # those on columns, too
    f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {ROLE}",
)
# Only a superuser may change the privileges on what came with PostgreSQL.
SUPERUSER_REVOKES = (
    "REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC",
    "REVOKE USAGE ON LANGUAGE sql, plpgsql FROM PUBLIC",
    "GRANT USAGE ON LANGUAGE sql, plpgsql TO pg_database_owner",  # who migrates, without being a superuser
)
GRANTS = (
    f"GRANT USAGE ON SCHEMA public TO {ROLE}",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}",
    f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}",
    f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {ROLE}",
)
# Every connection asks for these limits, and a pooler ignores it. An owner who may not change the role leaves it as it
# is, since readiness notices a connection without limits.
SET_LIMITS = f"""
DO $$ BEGIN
    {
    " ".join(
        f"ALTER ROLE {ROLE} IN DATABASE {{database}} SET {name} = '{value}';"
        for name, value in (KEEPALIVES | SERVER_SETTINGS).items()
    )
}
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$"""


def create_api_role(connection: Connection, password: str | None) -> None:
    """Create the role if it is missing, set its limits, grant it the rows of all tables, and revoke everything else.

    Of append-only tables it may read rows, and insert them without number and time. Runs at each migration, after the
    revisions and in their transaction, so that new tables need no grants of their own. Without a ``password`` the role
    keeps the one it has.
    """
    connection.exec_driver_sql(CREATE)
    if password:
        connection.exec_driver_sql(f"ALTER ROLE {ROLE} PASSWORD '{verifier(password)}'")
    database = connection.exec_driver_sql("SELECT quote_ident(current_database())").scalar_one()
    superuser = connection.exec_driver_sql("SHOW is_superuser").scalar_one() == "on"
    for statement in (SET_LIMITS, *REVOKES, *(SUPERUSER_REVOKES if superuser else ()), *GRANTS):
        connection.exec_driver_sql(statement.format(database=database))
    existing = inspect(connection).get_table_names()
    for table in Base.metadata.sorted_tables:
        if table.info.get("append_only") and table.name in existing:
            _make_append_only(connection, table.name)


def _make_append_only(connection: Connection, table: str) -> None:
    """Let the role read rows, and insert them without what the database sets: numbers and times."""
    columns = inspect(connection).get_columns(table)
    given = [each["name"] for each in columns if not each.get("identity") and each["default"] != "now()"]
    numbers = [each["name"] for each in columns if each.get("identity")]
    connection.exec_driver_sql(f"REVOKE INSERT, UPDATE, DELETE ON {table} FROM {ROLE}")
    connection.exec_driver_sql(f"GRANT INSERT ({', '.join(given)}) ON {table} TO {ROLE}")
    for name in numbers:
        sequence = connection.exec_driver_sql(f"SELECT pg_get_serial_sequence('{table}', '{name}')").scalar_one()
        connection.exec_driver_sql(f"REVOKE ALL ON SEQUENCE {sequence} FROM {ROLE}")


def verifier(password: str) -> str:
    """Return the SCRAM verifier (RFC 5803) that PostgreSQL stores, so that no log contains the password."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", unicodedata.normalize("NFKC", password).encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt64}${stored64}:{server64}"
