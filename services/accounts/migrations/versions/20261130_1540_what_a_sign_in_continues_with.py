"""what a sign-in continues with

Revision: 8c41d5e90b37
Revises: 5e0c7a2f9d14
Created: 2026-11-30 15:40:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "8c41d5e90b37"
down_revision = "5e0c7a2f9d14"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pending_sign_in", sa.Column("return_to", sa.String(1000), server_default="", nullable=False))
    op.add_column("pending_sign_in", sa.Column("invitation_hash", sa.LargeBinary()))


def downgrade() -> None:
    op.drop_column("pending_sign_in", "invitation_hash")
    op.drop_column("pending_sign_in", "return_to")
