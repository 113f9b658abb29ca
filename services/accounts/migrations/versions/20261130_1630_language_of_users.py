"""language of users, and when a token was requested

Revision: 4d1f8b6e2c70
Revises: 8c41d5e90b37
Created: 2026-11-30 16:30:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "4d1f8b6e2c70"
down_revision = "8c41d5e90b37"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user", sa.Column("language", sa.String(35)))
    # The default is computed once: no row is written.
    requested_at = sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
    op.add_column("one_time_token", requested_at)


def downgrade() -> None:
    op.drop_column("one_time_token", "requested_at")
    op.drop_column("user", "language")
