"""required assurance

Revision: 4b8e2f6a1c97
Revises: 71d228a56385
Created: 2026-11-30 12:30:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "4b8e2f6a1c97"
down_revision = "71d228a56385"
branch_labels = None
depends_on = None
# squawk-ignore prefer-bigint-over-smallint: it is 1 or 2


def upgrade() -> None:
    op.add_column("user_group", sa.Column("required_aal", sa.SmallInteger(), server_default="1", nullable=False))
    op.add_column("access_key", sa.Column("aal", sa.SmallInteger(), server_default="1", nullable=False))


def downgrade() -> None:
    op.drop_column("access_key", "aal")
    op.drop_column("user_group", "required_aal")
