"""search of users and audit by time

Revision: 39676ef42942
Revises: b506725141f8
Created: 2026-11-22 17:15:57.169397+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "39676ef42942"
down_revision = "b506725141f8"
branch_labels = None
depends_on = None
# squawk-ignore require-concurrent-index-creation: ran before the first release, when no database had data yet
# squawk-ignore require-concurrent-index-deletion: as above
# squawk-ignore changing-column-type: as above; a new collation rewrites no row, but builds the column's indexes again


def upgrade() -> None:
    op.drop_index(op.f("ix_audit_event_action_id"), table_name="audit_event")
    op.drop_index(op.f("ix_audit_event_actor_id_id"), table_name="audit_event")
    op.drop_index(op.f("ix_audit_event_at"), table_name="audit_event")
    op.drop_index(op.f("ix_audit_event_user_id_id"), table_name="audit_event")
    op.create_index(op.f("ix_audit_event_action_at_id"), "audit_event", ["action", "at", "id"], unique=False)
    op.create_index(op.f("ix_audit_event_actor_id_at_id"), "audit_event", ["actor_id", "at", "id"], unique=False)
    op.create_index(op.f("ix_audit_event_at_id"), "audit_event", ["at", "id"], unique=False)
    op.create_index(op.f("ix_audit_event_group_id_at_id"), "audit_event", ["group_id", "at", "id"], unique=False)
    op.create_index(op.f("ix_audit_event_user_id_at_id"), "audit_event", ["user_id", "at", "id"], unique=False)
    op.alter_column("user", "email", type_=sa.String(254, collation="pg_c_utf8"))
    op.alter_column("user", "display_name", type_=sa.String(100, collation="pg_c_utf8"))
    op.create_index(
        "ix_user_display_name_lower_id", "user", [sa.literal_column("lower(display_name)"), "id"], unique=False
    )
    op.create_index("ix_user_inactive", "user", ["id"], unique=False, postgresql_where=sa.text("NOT is_active"))
    op.create_index("ix_user_superuser", "user", ["id"], unique=False, postgresql_where=sa.text("is_superuser"))


def downgrade() -> None:
    op.drop_index("ix_user_superuser", table_name="user", postgresql_where=sa.text("is_superuser"))
    op.drop_index("ix_user_inactive", table_name="user", postgresql_where=sa.text("NOT is_active"))
    op.drop_index("ix_user_display_name_lower_id", table_name="user")
    op.alter_column("user", "display_name", type_=sa.String(100))
    op.alter_column("user", "email", type_=sa.String(254))
    op.drop_index(op.f("ix_audit_event_user_id_at_id"), table_name="audit_event")
    op.drop_index(op.f("ix_audit_event_group_id_at_id"), table_name="audit_event")
    op.drop_index(op.f("ix_audit_event_at_id"), table_name="audit_event")
    op.drop_index(op.f("ix_audit_event_actor_id_at_id"), table_name="audit_event")
    op.drop_index(op.f("ix_audit_event_action_at_id"), table_name="audit_event")
    op.create_index(op.f("ix_audit_event_user_id_id"), "audit_event", ["user_id", "id"], unique=False)
    op.create_index(op.f("ix_audit_event_at"), "audit_event", ["at"], unique=False)
    op.create_index(op.f("ix_audit_event_actor_id_id"), "audit_event", ["actor_id", "id"], unique=False)
    op.create_index(op.f("ix_audit_event_action_id"), "audit_event", ["action", "id"], unique=False)
