"""Export of users with their password hashes, in the format of the import: by a command only, never by HTTP."""

from collections.abc import AsyncIterator
from uuid import UUID

from accounts.db.session import Session
from accounts.db.statements import RFC_3339, CompiledStatement
from accounts.domain.identity.stored_hashes import UNUSABLE

BATCH = 2_000
LOWEST_ID = UUID(int=0)
# Groups that share a name get their id behind it: an import would make them one.
EXPORT = CompiledStatement(f"""
    SELECT id, json_build_object(
        'id', id, 'email', email, 'display_name', display_name, 'language', language,
        'hashed_password', nullif(hashed_password, '{UNUSABLE}'),
        'is_verified', is_verified, 'is_active', is_active, 'created_at', to_char(created_at, '{RFC_3339}'),
        'groups', coalesce((
            SELECT json_agg(json_build_object('name', CASE WHEN EXISTS (
                SELECT FROM user_group AS other WHERE other.visibility IN ('public', 'private')
                    AND lower(other.name) = lower(user_group.name) AND other.id <> user_group.id
            ) THEN left(name, 75) || ' (' || user_group.id || ')' ELSE name END, 'role', role) ORDER BY group_id)
            FROM membership JOIN user_group ON user_group.id = group_id WHERE user_id = exported.id
        ), '[]')
    )::text
    FROM (
        SELECT * FROM "user" WHERE id > CAST(:after AS uuid) AND owner_group_id IS NULL ORDER BY id LIMIT :batch
    ) AS exported ORDER BY id
""")  # noqa: S608  # only constants are interpolated


async def export_users(db: Session) -> AsyncIterator[list[str]]:
    """Read all users but service accounts, as batches of lines of JSON without line ends."""
    after = LOWEST_ID
    while rows := await EXPORT.run(db, after=after, batch=BATCH):
        yield [line for _, line in rows]
        after = rows[-1][0]
