"""mailed codes

Revision: 3b9f6d20c8e5
Revises: 2f8c4b6e1a97
Created: 2026-11-30 13:10:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "3b9f6d20c8e5"
down_revision = "2f8c4b6e1a97"
branch_labels = None
depends_on = None
# squawk-ignore prefer-bigint-over-int: counts up to six
# squawk-ignore ban-drop-constraint: a wider one takes its place in the same transaction
# squawk-ignore constraint-missing-not-valid: the table has only unsent mail, so the check is fast
MAIL_KIND = "ck_outbox_mailkind"
OLD_MAIL_KINDS = (
    "'sign_up', 'verify', 'reset', 'confirm_email', 'email_changed', 'account_exists', 'invitation', 'new_sign_in', "
    "'password_changed', 'role_changed', 'superuser_changed', 'token_created', 'token_expires', 'security_changed'"
)


def upgrade() -> None:
    op.create_table(
        "mailed_code",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("user_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mail_id", sa.Uuid(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_mailed_code_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_mailed_code")),
    )
    op.create_index(op.f("ix_mailed_code_user_id"), "mailed_code", ["user_id"])
    op.create_index(op.f("ix_mailed_code_mail_id"), "mailed_code", ["mail_id"], unique=True)
    op.create_index(op.f("ix_mailed_code_expires_at"), "mailed_code", ["expires_at"])
    op.drop_constraint(op.f(MAIL_KIND), "outbox")
    op.create_check_constraint(op.f(MAIL_KIND), "outbox", f"kind IN ({OLD_MAIL_KINDS}, 'sign_in_code')")


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE kind = 'sign_in_code'")
    op.drop_constraint(op.f(MAIL_KIND), "outbox")
    op.create_check_constraint(op.f(MAIL_KIND), "outbox", f"kind IN ({OLD_MAIL_KINDS})")
    op.drop_table("mailed_code")
