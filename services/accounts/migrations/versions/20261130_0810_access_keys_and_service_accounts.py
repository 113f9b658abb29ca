"""access keys and service accounts

Revision: 9a3c5e7f1b24
Revises: 4e8b1c7d2f60
Created: 2026-11-30 08:10:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "9a3c5e7f1b24"
down_revision = "4e8b1c7d2f60"
branch_labels = None
depends_on = None
# squawk-ignore adding-foreign-key-constraint: the new column is empty, so the scan takes seconds for millions of users
# squawk-ignore require-concurrent-index-creation: the index is empty, so building it takes seconds
# squawk-ignore ban-drop-constraint: its successor allows all that it allowed
# squawk-ignore constraint-missing-not-valid: the table has only live sessions, so the check takes seconds

KIND = "ck_user_session_kind"


def upgrade() -> None:
    op.create_table(
        "access_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(60, collation="pg_c_utf8"), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(20)), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_address", sa.String(45), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_access_key_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_key")),
    )
    op.create_index(op.f("ix_access_key_user_id_id"), "access_key", ["user_id", "id"])
    op.create_index(op.f("ix_access_key_expires_at"), "access_key", ["expires_at"])
    op.add_column(
        "user_session", sa.Column("scopes", postgresql.ARRAY(sa.String(20)), server_default="{}", nullable=False)
    )
    op.drop_constraint(op.f(KIND), "user_session", type_="check")
    op.create_check_constraint(op.f(KIND), "user_session", "kind IN ('bearer', 'cookie', 'service')")
    op.add_column("user", sa.Column("owner_group_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_user_owner_group_id_user_group"),
        "user",
        "user_group",
        ["owner_group_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index(
        "ix_user_owner_group_id",
        "user",
        ["owner_group_id", "id"],
        postgresql_where=sa.text("owner_group_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute('DELETE FROM "user" WHERE owner_group_id IS NOT NULL')
    op.drop_column("user", "owner_group_id")
    op.execute("DELETE FROM user_session WHERE kind = 'service'")
    op.drop_constraint(op.f(KIND), "user_session", type_="check")
    op.create_check_constraint(op.f(KIND), "user_session", "kind IN ('bearer', 'cookie')")
    op.drop_column("user_session", "scopes")
    op.drop_table("access_key")
