"""search of the outbox

Revision: 6d2e81c4a7f3
Revises: a91d3f6c02e8
Created: 2026-11-30 16:50:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "6d2e81c4a7f3"
down_revision = "a91d3f6c02e8"
branch_labels = None
depends_on = None
# squawk-ignore require-concurrent-index-creation: the table holds only mail that is not sent yet, so it takes a moment


def upgrade() -> None:
    op.create_index("ix_outbox_email_lower_id", "outbox", [sa.literal_column("lower(email)"), "id"])
    op.create_index("ix_outbox_parked", "outbox", ["id"], postgresql_where=sa.text("parked_at IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_outbox_parked", table_name="outbox", postgresql_where=sa.text("parked_at IS NOT NULL"))
    op.drop_index("ix_outbox_email_lower_id", table_name="outbox")
