"""outbox and known devices

Revision: 0cadbbd4a24b
Revises: 1f56f5727efb
Created: 2026-11-26 19:04:00.580416+00:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0cadbbd4a24b"
down_revision = "1f56f5727efb"
branch_labels = None
depends_on = None
# squawk-ignore ban-drop-constraint: a wider one takes its place in the same transaction
# squawk-ignore constraint-missing-not-valid: the table has only unused tokens, so the check is fast
# squawk-ignore prefer-bigint-over-int: counts attempts, of which there are at most some dozen
PURPOSE, PURPOSES = "ck_one_time_token_purpose", "purpose IN ('verify', 'reset', 'confirm_email', 'undo_email')"


def upgrade() -> None:
    op.create_table(
        "known_device",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_known_device_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "fingerprint", name=op.f("pk_known_device")),
    )
    op.create_index(op.f("ix_known_device_seen_at"), "known_device", ["seen_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "verify",
                "reset",
                "confirm_email",
                "email_changed",
                "account_exists",
                "invitation",
                "new_sign_in",
                "password_changed",
                "role_changed",
                "superuser_changed",
                name="mailkind",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("email", sa.String(length=254, collation="pg_c_utf8"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("invitation_id", sa.BigInteger(), nullable=True),
        sa.Column("language", sa.String(length=35), server_default="en", nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(length=300), server_default="", nullable=False),
        sa.CheckConstraint("email <> ''", name=op.f("ck_outbox_email_not_empty")),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitation.id"], name=op.f("fk_outbox_invitation_id_invitation"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_outbox_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_invitation_id"), "outbox", ["invitation_id"], unique=False)
    op.create_index(
        "ix_outbox_next_at", "outbox", ["next_at"], unique=False, postgresql_where=sa.text("parked_at IS NULL")
    )
    op.create_index(op.f("ix_outbox_user_id"), "outbox", ["user_id"], unique=False)
    op.drop_constraint(op.f(PURPOSE), "one_time_token")
    op.create_check_constraint(op.f(PURPOSE), "one_time_token", PURPOSES)


def downgrade() -> None:
    op.execute("DELETE FROM one_time_token WHERE purpose NOT IN ('verify', 'reset')")
    op.drop_constraint(op.f(PURPOSE), "one_time_token")
    op.create_check_constraint(op.f(PURPOSE), "one_time_token", "purpose IN ('verify', 'reset')")
    op.drop_index(op.f("ix_outbox_user_id"), table_name="outbox")
    op.drop_index("ix_outbox_next_at", table_name="outbox", postgresql_where=sa.text("parked_at IS NULL"))
    op.drop_index(op.f("ix_outbox_invitation_id"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_index(op.f("ix_known_device_seen_at"), table_name="known_device")
    op.drop_table("known_device")
