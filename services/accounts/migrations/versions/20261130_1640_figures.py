"""figures

Revision: a91d3f6c02e8
Revises: 4d1f8b6e2c70
Created: 2026-11-30 16:40:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "a91d3f6c02e8"
down_revision = "4d1f8b6e2c70"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "figure",
        sa.Column(
            "period",
            sa.Enum("hour", "day", name="period", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("period", "at", "name", name=op.f("pk_figure")),
    )


def downgrade() -> None:
    op.drop_table("figure")
