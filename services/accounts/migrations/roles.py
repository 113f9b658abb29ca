"""The role that the API connects as. It reads and writes rows, but can change neither the schema nor the audit log.

So an attacker who controls the API cannot delete the traces.
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
GRANTS = (
    f"GRANT USAGE ON SCHEMA public TO {ROLE}",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}",
    f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {ROLE}",
    f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {ROLE}",
)


def create_api_role(connection: Connection, password: str | None) -> None:
    """Create the role if it is missing, and grant it all tables; on append-only tables only SELECT and INSERT.

    Runs after the migrations, in their transaction, so that new tables need no grants of their own. Without a
    ``password`` the role keeps the one it has.
    """
    connection.exec_driver_sql(CREATE)
    if password:
        connection.exec_driver_sql(f"ALTER ROLE {ROLE} PASSWORD '{verifier(password)}'")
    for statement in GRANTS:
        connection.exec_driver_sql(statement)
    existing = inspect(connection).get_table_names()
    for table in Base.metadata.sorted_tables:
        if table.info.get("append_only") and table.name in existing:
            connection.exec_driver_sql(f"REVOKE UPDATE, DELETE ON {table.name} FROM {ROLE}")


def verifier(password: str) -> str:
    """Return the SCRAM verifier (RFC 5803) that PostgreSQL stores, so that no log contains the password."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", unicodedata.normalize("NFKC", password).encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt64}${stored64}:{server64}"
