"""notices of access keys

Revision: c6f0a4d2e8b1
Revises: 3f6d2b9c8e17
Created: 2026-11-30 08:40:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "c6f0a4d2e8b1"
down_revision = "3f6d2b9c8e17"
branch_labels = None
depends_on = None
# squawk-ignore ban-drop-constraint: a wider one takes its place in the same transaction
# squawk-ignore constraint-missing-not-valid: the table has only unsent mail, so the check is fast
KIND = "ck_outbox_mailkind"
OLD_KINDS = (
    "'sign_up', 'verify', 'reset', 'confirm_email', 'email_changed', 'account_exists', 'invitation', 'new_sign_in', "
    "'password_changed', 'role_changed', 'superuser_changed'"
)


def upgrade() -> None:
    op.add_column("access_key", sa.Column("expiry_noticed_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f(KIND), "outbox")
    op.create_check_constraint(op.f(KIND), "outbox", f"kind IN ({OLD_KINDS}, 'token_created', 'token_expires')")


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE kind IN ('token_created', 'token_expires')")
    op.drop_constraint(op.f(KIND), "outbox")
    op.create_check_constraint(op.f(KIND), "outbox", f"kind IN ({OLD_KINDS})")
    op.drop_column("access_key", "expiry_noticed_at")
