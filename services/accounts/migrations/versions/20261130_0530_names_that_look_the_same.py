"""names that look the same

Revision: 4e8b1c7d2f60
Revises: 4e8d21b7c6f3
Created: 2026-11-30 05:30:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "4e8b1c7d2f60"
down_revision = "4e8d21b7c6f3"
branch_labels = None
depends_on = None
# squawk-ignore require-concurrent-index-creation: there are few groups, and they can be read meanwhile
# squawk-ignore require-concurrent-index-deletion: it takes a moment, in the transaction that creates its successor
# squawk-ignore renaming-object: it renames an index, which has the name that the previous release knows

# Without ignorable characters (Default_Ignorable_Code_Point of Unicode 17), in NFKC, case-folded, and with one blank
# for several, as pages and mails show them.
KEY = r"""
CREATE FUNCTION public_name_key(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN btrim(regexp_replace(
    normalize(casefold(normalize(casefold(regexp_replace(
        name COLLATE pg_unicode_fast,
        '[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164'
        '\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+',
        '', 'g'
    )), NFKC)), NFKC),
    '[\s\u2800\U0001d159]+', ' ', 'g'
))
"""
# The oldest of the groups whose names look the same stays public.
HIDE = """
WITH alike AS (
    SELECT id, row_number() OVER (PARTITION BY public_name_key(name) ORDER BY id) AS position
    FROM user_group WHERE visibility = 'public'
), hidden AS (
    UPDATE user_group SET visibility = 'private', updated_at = now()
    FROM alike WHERE user_group.id = alike.id AND position > 1 RETURNING user_group.id
)
INSERT INTO audit_event (action, group_id, detail)
SELECT 'group.changed', id, '{"changed": ["visibility"], "visibility": "private"}' FROM hidden
"""
PUBLIC = sa.text("visibility = 'public'")
NAME = "uq_user_group_public_name_lower"


def upgrade() -> None:
    op.execute(KEY)
    op.execute("LOCK TABLE user_group IN SHARE ROW EXCLUSIVE MODE")
    op.execute(HIDE)
    op.create_index(
        "new_public_name",
        "user_group",
        [sa.literal_column("public_name_key(name)")],
        unique=True,
        postgresql_where=PUBLIC,
    )
    op.drop_index(NAME, table_name="user_group", postgresql_where=PUBLIC)
    op.execute(f"ALTER INDEX new_public_name RENAME TO {NAME}")


def downgrade() -> None:
    op.drop_index(NAME, table_name="user_group", postgresql_where=PUBLIC)
    op.create_index(NAME, "user_group", [sa.literal_column("lower(name)")], unique=True, postgresql_where=PUBLIC)
    op.execute("DROP FUNCTION public_name_key")
