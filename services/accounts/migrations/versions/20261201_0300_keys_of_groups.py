"""keys of groups

Revision: e2b7409c5d1f
Revises: 7c5e0a94d1b6
Created: 2026-12-01 03:00:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "e2b7409c5d1f"
down_revision = "7c5e0a94d1b6"
branch_labels = None
depends_on = None
# squawk-ignore ban-drop-constraint: the key and a trigger take its place; the previous release deletes groups as before
# squawk-ignore adding-foreign-key-constraint: both are checked while groups and members cannot be written, not read
# squawk-ignore constraint-missing-not-valid: as above; about a second for three million members

KEY_OF_GROUP = "fk_user_group_id_group_key"
KEY_OF_MEMBERS, GROUP_OF_MEMBERS = "fk_membership_group_id_group_key", "fk_membership_group_id_user_group"
# The key of a small group is deleted with it, and so are its memberships. Those of a large one are left to the worker,
# so that the statement that deletes the group is short.
TRIGGERS = (
    """
    CREATE FUNCTION insert_group_key() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO group_key (id) VALUES (NEW.id);
        RETURN NEW;
    END $$
    """,
    """
    CREATE FUNCTION delete_group_key() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.member_count <= 10000 THEN
            DELETE FROM group_key WHERE id = OLD.id;
        ELSE
            UPDATE group_key SET deleted_at = now() WHERE id = OLD.id;
        END IF;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER insert_key BEFORE INSERT ON user_group FOR EACH ROW EXECUTE FUNCTION insert_group_key()",
    "CREATE TRIGGER delete_key AFTER DELETE ON user_group FOR EACH ROW EXECUTE FUNCTION delete_group_key()",
)
# Groups are locked before they are counted, in the order of their ids as everywhere, to avoid deadlocks. The lock also
# takes the place of a foreign key: no group can be deleted while it gets members.
COUNT = """
CREATE OR REPLACE FUNCTION count_members() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    step CONSTANT integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    PERFORM FROM user_group WHERE id IN (SELECT group_id FROM changed) ORDER BY id FOR NO KEY UPDATE;
    {require_groups}UPDATE user_group SET member_count = member_count + step * counted.members
    FROM (SELECT group_id, count(*) AS members FROM changed GROUP BY group_id) AS counted
    WHERE user_group.id = counted.group_id;
    RETURN NULL;
END $$
"""
REQUIRE_GROUPS = """IF TG_OP = 'INSERT' AND EXISTS (
        SELECT FROM changed WHERE NOT EXISTS (SELECT FROM user_group WHERE id = group_id)
    ) THEN
        RAISE foreign_key_violation USING
            MESSAGE = 'a member was added to a group that does not exist',
            TABLE = 'membership', CONSTRAINT = 'fk_membership_group_id_user_group';
    END IF;
    """


def upgrade() -> None:
    op.create_table(
        "group_key",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_key")),
    )
    op.create_index(
        "ix_group_key_deleted", "group_key", ["deleted_at", "id"], postgresql_where=sa.text("deleted_at IS NOT NULL")
    )
    op.execute("LOCK TABLE user_group, membership IN SHARE ROW EXCLUSIVE MODE")
    op.execute("INSERT INTO group_key (id) SELECT id FROM user_group")
    for trigger in TRIGGERS:
        op.execute(trigger)
    op.execute(COUNT.format(require_groups=REQUIRE_GROUPS))
    op.create_foreign_key(KEY_OF_GROUP, "user_group", "group_key", ["id"], ["id"], ondelete="RESTRICT")
    op.create_foreign_key(KEY_OF_MEMBERS, "membership", "group_key", ["group_id"], ["id"], ondelete="CASCADE")
    op.drop_constraint(GROUP_OF_MEMBERS, "membership", type_="foreignkey")


def downgrade() -> None:
    op.execute("DELETE FROM membership USING group_key WHERE group_id = group_key.id AND deleted_at IS NOT NULL")
    op.create_foreign_key(GROUP_OF_MEMBERS, "membership", "user_group", ["group_id"], ["id"], ondelete="CASCADE")
    op.drop_constraint(KEY_OF_MEMBERS, "membership", type_="foreignkey")
    op.drop_constraint(KEY_OF_GROUP, "user_group", type_="foreignkey")
    op.execute(COUNT.format(require_groups=""))
    for trigger, function in (("delete_key", "delete_group_key"), ("insert_key", "insert_group_key")):
        op.execute(f"DROP TRIGGER {trigger} ON user_group")
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("group_key")
