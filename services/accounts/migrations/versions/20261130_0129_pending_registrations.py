"""pending registrations

Revision: 1036248640da
Revises: 0cadbbd4a24b
Created: 2026-11-30 01:29:46.660788+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "1036248640da"
down_revision = "0cadbbd4a24b"
branch_labels = None
depends_on = None
# squawk-ignore ban-drop-constraint: a wider one takes its place in the same transaction
# squawk-ignore constraint-missing-not-valid: the table has only unsent mail, so the check is fast
KIND = "ck_outbox_mailkind"
OLD_KINDS = (
    "'verify', 'reset', 'confirm_email', 'email_changed', 'account_exists', 'invitation', 'new_sign_in', "
    "'password_changed', 'role_changed', 'superuser_changed'"
)


def upgrade() -> None:
    op.create_table(
        "pending_registration",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.String(length=254, collation="pg_c_utf8"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_pending_registration")),
    )
    op.create_index(
        "uq_pending_registration_email_lower", "pending_registration", [sa.literal_column("lower(email)")], unique=True
    )
    op.drop_constraint(op.f(KIND), "outbox")
    op.create_check_constraint(op.f(KIND), "outbox", f"kind IN ('sign_up', {OLD_KINDS})")


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE kind = 'sign_up'")
    op.drop_constraint(op.f(KIND), "outbox")
    op.create_check_constraint(op.f(KIND), "outbox", f"kind IN ({OLD_KINDS})")
    op.drop_index("uq_pending_registration_email_lower", table_name="pending_registration")
    op.drop_table("pending_registration")
