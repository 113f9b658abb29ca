"""turns of mail

Revision: 5b2e9a41c7d0
Revises: 7c1d5e0a92f4
Created: 2026-11-30 01:40:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "5b2e9a41c7d0"
down_revision = "7c1d5e0a92f4"
branch_labels = None
depends_on = None
# squawk-ignore adding-foreign-key-constraint: all values are NULL, so the check is fast
# squawk-ignore constraint-missing-not-valid: as above
# squawk-ignore require-concurrent-index-creation: the table has only mail that waits
# squawk-ignore require-concurrent-index-deletion: it takes a moment, in the transaction that creates its successor


def upgrade() -> None:
    op.add_column("outbox", sa.Column("sender_id", sa.Uuid(), nullable=True))
    op.add_column("outbox", sa.Column("turn", sa.BigInteger(), server_default="0", nullable=False))
    op.create_foreign_key(
        op.f("fk_outbox_sender_id_user"), "outbox", "user", ["sender_id"], ["id"], ondelete="SET NULL"
    )
    op.create_index("ix_outbox_sender_id_turn", "outbox", ["sender_id", "turn"], unique=False)
    op.create_index(
        "ix_outbox_turn",
        "outbox",
        ["turn", "id", "next_at"],
        unique=False,
        postgresql_where=sa.text("parked_at IS NULL"),
    )
    op.drop_index("ix_outbox_next_at", table_name="outbox", postgresql_where=sa.text("parked_at IS NULL"))


def downgrade() -> None:
    op.create_index(
        "ix_outbox_next_at", "outbox", ["next_at"], unique=False, postgresql_where=sa.text("parked_at IS NULL")
    )
    op.drop_index("ix_outbox_turn", table_name="outbox", postgresql_where=sa.text("parked_at IS NULL"))
    op.drop_index("ix_outbox_sender_id_turn", table_name="outbox")
    op.drop_constraint(op.f("fk_outbox_sender_id_user"), "outbox")
    op.drop_column("outbox", "turn")
    op.drop_column("outbox", "sender_id")
