"""verified before

Revision: 5e0c7a2f9d14
Revises: 3b9f6d20c8e5
Created: 2026-11-30 14:10:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "5e0c7a2f9d14"
down_revision = "3b9f6d20c8e5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user", sa.Column("verified_before", sa.Boolean(), server_default="false", nullable=False))


def downgrade() -> None:
    op.drop_column("user", "verified_before")
