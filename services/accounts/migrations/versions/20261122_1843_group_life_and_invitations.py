"""group life and invitations

Revision: 1f56f5727efb
Revises: 39676ef42942
Created: 2026-11-22 18:43:19.872262+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "1f56f5727efb"
down_revision = "39676ef42942"
branch_labels = None
depends_on = None
# squawk-ignore require-concurrent-index-creation: ran before the first release, when no database had data yet
# squawk-ignore require-concurrent-index-deletion: as above
# squawk-ignore changing-column-type: as above; a new collation rewrites no row, but builds the column's indexes again

# Groups are locked before they are counted, in the order of their ids as everywhere, to avoid deadlocks.
COUNT = """
CREATE FUNCTION count_members() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    step CONSTANT integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    PERFORM FROM user_group WHERE id IN (SELECT group_id FROM changed) ORDER BY id FOR NO KEY UPDATE;
    UPDATE user_group SET member_count = member_count + step * counted.members
    FROM (SELECT group_id, count(*) AS members FROM changed GROUP BY group_id) AS counted
    WHERE user_group.id = counted.group_id;
    RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER count_{event} AFTER {event} ON membership
REFERENCING {transition} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_members()
"""
RECOUNT = """
UPDATE user_group SET member_count = counted.members
FROM (SELECT group_id, count(*) AS members FROM membership GROUP BY group_id) AS counted
WHERE user_group.id = counted.group_id
"""


def upgrade() -> None:
    op.create_table(
        "invitation",
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.String(length=254, collation="pg_c_utf8"), nullable=False),
        sa.Column(
            "role",
            sa.Enum("owner", "admin", "member", name="role", native_enum=False, create_constraint=True, length=20),
            server_default="member",
            nullable=False,
        ),
        sa.Column("note", sa.String(length=500), server_default="", nullable=False),
        sa.Column("inviter_id", sa.Uuid(), nullable=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("email <> ''", name=op.f("ck_invitation_email_not_empty")),
        sa.ForeignKeyConstraint(
            ["group_id"], ["user_group.id"], name=op.f("fk_invitation_group_id_user_group"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["inviter_id"], ["user.id"], name=op.f("fk_invitation_inviter_id_user"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitation_token_hash")),
    )
    op.create_index(
        "ix_invitation_email_lower_id", "invitation", [sa.literal_column("lower(email)"), "id"], unique=False
    )
    op.create_index(op.f("ix_invitation_group_id_id"), "invitation", ["group_id", "id"], unique=False)
    op.create_index(op.f("ix_invitation_inviter_id"), "invitation", ["inviter_id"], unique=False)
    op.create_index(
        "uq_invitation_group_id_email_lower", "invitation", ["group_id", sa.literal_column("lower(email)")], unique=True
    )
    op.create_index(
        op.f("ix_membership_group_id_role_user_id"), "membership", ["group_id", "role", "user_id"], unique=False
    )
    op.add_column("user_group", sa.Column("member_count", sa.BigInteger(), server_default="0", nullable=False))
    op.execute(RECOUNT)
    op.execute(COUNT)
    for event, transition in (("insert", "NEW"), ("delete", "OLD")):
        op.execute(TRIGGER.format(event=event, transition=transition))
    op.alter_column("user_group", "name", type_=sa.String(100, collation="pg_c_utf8"))
    op.drop_index(op.f("uq_user_group_name_lower"), table_name="user_group")
    op.create_index(
        "ix_user_group_visibility_name_lower_id",
        "user_group",
        ["visibility", sa.literal_column("lower(name)"), "id"],
        unique=False,
    )
    op.create_index(
        "uq_user_group_public_name_lower",
        "user_group",
        [sa.literal_column("lower(name)")],
        unique=True,
        postgresql_where=sa.text("visibility = 'public'"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_user_group_public_name_lower", table_name="user_group", postgresql_where=sa.text("visibility = 'public'")
    )
    op.drop_index("ix_user_group_visibility_name_lower_id", table_name="user_group")
    op.alter_column("user_group", "name", type_=sa.String(100))
    op.create_index(op.f("uq_user_group_name_lower"), "user_group", [sa.literal_column("lower(name)")], unique=True)
    for event in ("insert", "delete"):
        op.execute(f"DROP TRIGGER count_{event} ON membership")
    op.execute("DROP FUNCTION count_members")
    op.drop_column("user_group", "member_count")
    op.drop_index(op.f("ix_membership_group_id_role_user_id"), table_name="membership")
    op.drop_index("uq_invitation_group_id_email_lower", table_name="invitation")
    op.drop_index(op.f("ix_invitation_inviter_id"), table_name="invitation")
    op.drop_index(op.f("ix_invitation_group_id_id"), table_name="invitation")
    op.drop_index("ix_invitation_email_lower_id", table_name="invitation")
    op.drop_table("invitation")
