"""invitations by user

Revision: 7c1f0d8e52ab
Revises: 5b2e9a41c7d0
Created: 2026-11-30 01:41:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "7c1f0d8e52ab"
down_revision = "5b2e9a41c7d0"
branch_labels = None
depends_on = None
# squawk-ignore ban-drop-not-null: the previous release cannot list invitations by user until it is replaced
# squawk-ignore constraint-missing-not-valid: the table has only open invitations, so the check is fast
# squawk-ignore adding-foreign-key-constraint: all values are NULL, so the check is fast
# squawk-ignore require-concurrent-index-creation: the table has only open invitations


def upgrade() -> None:
    op.add_column("invitation", sa.Column("user_id", sa.Uuid(), nullable=True))
    op.alter_column("invitation", "email", nullable=True)
    op.create_foreign_key(
        op.f("fk_invitation_user_id_user"), "invitation", "user", ["user_id"], ["id"], ondelete="CASCADE"
    )
    op.create_check_constraint(op.f("ck_invitation_email_or_user"), "invitation", "num_nonnulls(email, user_id) = 1")
    op.create_index("uq_invitation_user_id_group_id", "invitation", ["user_id", "group_id"], unique=True)


def downgrade() -> None:
    op.execute("DELETE FROM invitation WHERE email IS NULL")
    op.drop_index("uq_invitation_user_id_group_id", table_name="invitation")
    op.drop_constraint(op.f("ck_invitation_email_or_user"), "invitation")
    op.drop_constraint(op.f("fk_invitation_user_id_user"), "invitation")
    op.alter_column("invitation", "email", nullable=False)
    op.drop_column("invitation", "user_id")
