"""external identities

Revision: 2f8c4b6e1a97
Revises: 4b8d20f6e1a7
Created: 2026-11-30 13:00:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2f8c4b6e1a97"
down_revision = "4b8d20f6e1a7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "external_identity",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(50), nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("email", sa.String(254, "pg_c_utf8"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_external_identity_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_identity")),
    )
    op.create_index("uq_external_identity_issuer_subject", "external_identity", ["issuer", "subject"], unique=True)
    op.create_index("uq_external_identity_user_id_issuer", "external_identity", ["user_id", "issuer"], unique=True)
    op.create_table(
        "pending_authorization",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("provider", sa.String(50), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(20)), nullable=False),
        sa.Column("return_to", sa.String(1000), nullable=False),
        sa.Column("invitation_hash", sa.LargeBinary(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('sign_in', 'link', 'reauthenticate')", name=op.f("ck_pending_authorization_purpose")
        ),
        sa.CheckConstraint("kind IN ('bearer', 'cookie', 'service')", name=op.f("ck_pending_authorization_kind")),
        sa.CheckConstraint(
            "(purpose = 'sign_in') = (session_id IS NULL)", name=op.f("ck_pending_authorization_session")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["user_session.id"],
            name=op.f("fk_pending_authorization_session_id_user_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_pending_authorization")),
    )
    op.create_index(op.f("ix_pending_authorization_session_id"), "pending_authorization", ["session_id"])
    op.create_index(op.f("ix_pending_authorization_expires_at"), "pending_authorization", ["expires_at"])


def downgrade() -> None:
    op.drop_table("pending_authorization")
    op.drop_table("external_identity")
