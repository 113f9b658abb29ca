"""reserved emails

Revision: 7c1d5e0a92f4
Revises: 1036248640da
Created: 2026-11-30 01:40:12.204817+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "7c1d5e0a92f4"
down_revision = "1036248640da"
branch_labels = None
depends_on = None
# squawk-ignore require-concurrent-index-creation: the table has only unused tokens, so it takes milliseconds
# squawk-ignore changing-column-type: a new collation rewrites no row, and no index of the table has the column


def upgrade() -> None:
    op.alter_column("one_time_token", "email", type_=sa.String(254, collation="pg_c_utf8"))
    op.create_index(
        "ix_one_time_token_undo_email_lower",
        "one_time_token",
        [sa.literal_column("lower(email)")],
        unique=False,
        postgresql_where=sa.text("purpose = 'undo_email'"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_one_time_token_undo_email_lower",
        table_name="one_time_token",
        postgresql_where=sa.text("purpose = 'undo_email'"),
    )
    op.alter_column("one_time_token", "email", type_=sa.String(254))
