"""second factors

Revision: 7d1e5a9c3b48
Revises: c6f0a4d2e8b1
Created: 2026-11-30 12:15:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "7d1e5a9c3b48"
down_revision = "c6f0a4d2e8b1"
branch_labels = None
depends_on = None
# squawk-ignore prefer-bigint-over-int: one of two levels
# squawk-ignore ban-drop-constraint: a wider one takes its place in the same transaction
# squawk-ignore constraint-missing-not-valid: the table has only unsent mail, so the check is fast
MAIL_KIND = "ck_outbox_mailkind"
OLD_MAIL_KINDS = (
    "'sign_up', 'verify', 'reset', 'confirm_email', 'email_changed', 'account_exists', 'invitation', 'new_sign_in', "
    "'password_changed', 'role_changed', 'superuser_changed', 'token_created', 'token_expires'"
)
NAMES = postgresql.ARRAY(sa.String(20))


def upgrade() -> None:
    op.add_column("user", sa.Column("second_factors", NAMES, server_default="{}", nullable=False))
    op.add_column("user_session", sa.Column("aal", sa.Integer(), server_default="1", nullable=False))
    op.add_column("user_session", sa.Column("methods", NAMES, server_default="{}", nullable=False))
    op.create_table(
        "pending_sign_in",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", NAMES, nullable=False),
        sa.Column("methods", NAMES, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_pending_sign_in_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_pending_sign_in")),
    )
    op.create_index(op.f("ix_pending_sign_in_user_id"), "pending_sign_in", ["user_id"])
    op.create_index(op.f("ix_pending_sign_in_expires_at"), "pending_sign_in", ["expires_at"])
    op.drop_constraint(op.f(MAIL_KIND), "outbox")
    op.create_check_constraint(op.f(MAIL_KIND), "outbox", f"kind IN ({OLD_MAIL_KINDS}, 'security_changed')")


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE kind = 'security_changed'")
    op.drop_constraint(op.f(MAIL_KIND), "outbox")
    op.create_check_constraint(op.f(MAIL_KIND), "outbox", f"kind IN ({OLD_MAIL_KINDS})")
    op.drop_table("pending_sign_in")
    op.drop_column("user_session", "methods")
    op.drop_column("user_session", "aal")
    op.drop_column("user", "second_factors")
