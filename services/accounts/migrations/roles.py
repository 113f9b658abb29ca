"""The role that the API connects as: it reads and writes rows, and can change neither the schema nor the record.

So whoever takes the API over can still not cover the traces.
"""

import hashlib
import hmac
import os
import unicodedata
from base64 import b64encode

from sqlalchemy import Connection, inspect

from accounts.models import Base

ROLE = "accounts_api"
ITERATIONS = 4096  # PostgreSQL's own scram_iterations

# Roles belong to the server: a migration of another of its databases may make this one at the same instant.
CREATE = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
        CREATE ROLE {ROLE} LOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE 'the role {ROLE} is missing, and % may not make it: somebody who may must CREATE ROLE {ROLE} LOGIN',
            current_user;
END $$"""
GRANTS = (
    f"GRANT USAGE ON SCHEMA public TO {ROLE}",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}",
    f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {ROLE}",
    f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {ROLE}",
)


def provide(connection: Connection, password: str | None) -> None:
    """Make the role where it is missing, and grant it all rows; those of append-only tables to read and to add to.

    Runs behind the migrations, in their transaction, so that new tables need no grants of their own. A ``password``
    is set; without one the role keeps what it has.
    """
    connection.exec_driver_sql(CREATE)
    if password:
        connection.exec_driver_sql(f"ALTER ROLE {ROLE} PASSWORD '{verifier(password)}'")
    for statement in GRANTS:
        connection.exec_driver_sql(statement)
    exist = inspect(connection).get_table_names()
    for table in Base.metadata.sorted_tables:
        if table.info.get("append_only") and table.name in exist:
            connection.exec_driver_sql(f"REVOKE UPDATE, DELETE ON {table.name} FROM {ROLE}")


def verifier(password: str) -> str:
    """What PostgreSQL stores of a password (RFC 5803), so that the password itself is in no statement and no log."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", unicodedata.normalize("NFKC", password).encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (b64encode(each).decode() for each in (salt, stored, server))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt64}${stored64}:{server64}"
