"""What the API's database role may do: exactly the expected, for every kind of object that PostgreSQL has."""

import asyncio
from collections import defaultdict

import asyncpg
import pytest

from accounts.migrations.roles import ROLE
from accounts.models import Base
from support.schema import Alembic

ROWS = {"SELECT", "INSERT", "UPDATE", "DELETE"}
EVENT_COLUMNS = {f"INSERT ({name})" for name in ("action", "actor_id", "address", "detail", "group_id", "user_id")}
# A table that is added later has the rights of rows. One without a model, or with fewer rights, is listed here.
NARROWER = {"alembic_version": {"SELECT"}, "audit_event": {"SELECT"} | EVENT_COLUMNS}
# Every privilege that PostgreSQL 18 has, without those of everybody on the catalogues.
RIGHTS = """
WITH api AS (SELECT oid AS role FROM pg_roles WHERE rolname = 'accounts_api'),
relation AS (
    SELECT pg_class.*, role FROM api, pg_class JOIN pg_namespace AS space ON space.oid = relnamespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_toast'
),
stored AS (SELECT * FROM relation WHERE relkind IN ('r', 'p', 'v', 'm', 'f')),
routine AS (SELECT pg_proc.*, role, nspname FROM api, pg_proc JOIN pg_namespace AS space ON space.oid = pronamespace)
SELECT 'table', relname, privilege
FROM stored, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER,MAINTAIN}'::text[]) AS privilege
WHERE has_table_privilege(role, oid, privilege)
UNION ALL SELECT 'table', relname, format('%s (%s)', privilege, attname)
FROM stored JOIN pg_attribute ON attrelid = oid AND attnum > 0 AND NOT attisdropped,
    unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) AS privilege
WHERE has_column_privilege(role, oid, attnum, privilege) AND NOT has_table_privilege(role, oid, privilege)
UNION ALL SELECT 'sequence', relname, privilege FROM relation, unnest('{SELECT,USAGE,UPDATE}'::text[]) AS privilege
WHERE relkind = 'S' AND has_sequence_privilege(role, oid, privilege)
UNION ALL SELECT 'schema', nspname, privilege FROM api, pg_namespace, unnest('{USAGE,CREATE}'::text[]) AS privilege
WHERE has_schema_privilege(role, oid, privilege)
UNION ALL SELECT 'database', '', privilege FROM api, unnest('{CONNECT,CREATE,TEMPORARY}'::text[]) AS privilege
WHERE has_database_privilege(role, current_database(), privilege)
UNION ALL SELECT 'language', lanname, 'USAGE' FROM api, pg_language
WHERE lanpltrusted AND has_language_privilege(role, oid, 'USAGE')
UNION ALL SELECT 'function', proname, 'EXECUTE' FROM routine
WHERE has_function_privilege(role, oid, 'EXECUTE') AND nspname <> 'information_schema'
    AND (nspname <> 'pg_catalog' OR proname ~ '^(lo_(creat|from|import|export)|pg_(read|write|ls|reload)_)')
UNION ALL SELECT 'server', srvname, 'USAGE' FROM api, pg_foreign_server WHERE has_server_privilege(role, oid, 'USAGE')
UNION ALL SELECT 'tablespace', spcname, 'CREATE' FROM api, pg_tablespace
WHERE has_tablespace_privilege(role, oid, 'CREATE')
UNION ALL SELECT 'parameter', parname, privilege
FROM api, pg_parameter_acl, unnest('{SET,ALTER SYSTEM}'::text[]) AS privilege
WHERE has_parameter_privilege(role, parname, privilege)
UNION ALL SELECT 'large object', oid::text, privilege
FROM api, pg_largeobject_metadata, unnest('{SELECT,UPDATE}'::text[]) AS privilege
WHERE has_largeobject_privilege(role, oid, privilege)
UNION ALL SELECT 'role', rolname, 'member' FROM api, pg_roles WHERE oid <> role AND pg_has_role(role, oid, 'USAGE')
UNION ALL SELECT 'owner of', classid::regclass::text, objid::text FROM api, pg_shdepend
WHERE refobjid = role AND deptype = 'o'
UNION ALL SELECT 'attribute', rolname, '' FROM pg_roles
WHERE rolname = 'accounts_api' AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
"""
# What an installation or a restored backup may have from before.
OLD_GRANTS = f"""
GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE};
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ROLE};
GRANT ALL ON SCHEMA public TO {ROLE}, PUBLIC;
GRANT UPDATE (detail), INSERT (at) ON audit_event TO {ROLE};
GRANT EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) TO PUBLIC;
GRANT USAGE ON LANGUAGE sql, plpgsql TO PUBLIC;
DO $$ BEGIN EXECUTE format('GRANT ALL ON DATABASE %I TO {ROLE}, PUBLIC', current_database()); END $$
"""
REFUSED = [
    "INSERT INTO audit_event (action, at) VALUES ('session.started', now() - interval '1 day')",
    "INSERT INTO audit_event (action, id) VALUES ('session.started', 1)",
    "SELECT nextval('audit_event_id_seq')",
    "SELECT setval('user_group_id_seq', 1)",
    "LOCK TABLE audit_event IN ROW EXCLUSIVE MODE",
    "UPDATE audit_event SET detail = '{}'",
    "DELETE FROM audit_event",
    "TRUNCATE audit_event",
    "UPDATE alembic_version SET version_num = ''",
    "DELETE FROM alembic_version",
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DO 'BEGIN END'",
    "SELECT lo_create(0)",
    "SELECT lo_creat(-1)",
    "SELECT lo_from_bytea(0, '')",
    'ALTER TABLE "user" ADD COLUMN mine int',
    "ALTER TABLE audit_event DISABLE TRIGGER ALL",
    "DROP TABLE membership",
    "CREATE ROLE mine",
]


def expected() -> dict[tuple[str, str], set[str]]:
    tables = Base.metadata.tables.values()
    numbered = [each.name for each in tables if any(column.identity for column in each.columns)]
    return {
        **{("table", name): NARROWER.get(name, ROWS) for name in ("alembic_version", *Base.metadata.tables)},
        **{("sequence", f"{name}_id_seq"): {"USAGE"} for name in numbered if name not in NARROWER},
        **{("schema", name): {"USAGE"} for name in ("public", "pg_catalog", "information_schema")},
        ("database", ""): {"CONNECT"},
        ("function", "count_members"): {"EXECUTE"},  # a trigger's, which cannot be called
        ("function", "delete_group_key"): {"EXECUTE"},  # as above
        ("function", "insert_group_key"): {"EXECUTE"},  # as above
        ("function", "public_name_key"): {"EXECUTE"},  # a function of text alone, for an index
    }


async def test_migration_leaves_the_api_role_exactly_the_expected_rights(owned_database: str, alembic: Alembic) -> None:
    connection = await asyncpg.connect(owned_database)
    await connection.execute(OLD_GRANTS)

    await asyncio.to_thread(alembic, "upgrade", "head")

    rights = defaultdict[tuple[str, str], set[str]](set)
    for kind, name, privilege in await connection.fetch(RIGHTS):
        rights[kind, name].add(privilege)
    await connection.close()
    assert rights == expected()


@pytest.mark.parametrize("statement", REFUSED)
async def test_api_role_is_refused(fresh_database: str, statement: str) -> None:
    connection = await asyncpg.connect(fresh_database)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute(statement)
    finally:
        await connection.close()
