"""searches of pages

Revision: 7c5e0a94d1b6
Revises: d447d4e403b1
Created: 2026-11-30 20:30:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "7c5e0a94d1b6"
down_revision = "d447d4e403b1"
branch_labels = None
depends_on = None
# squawk-ignore require-concurrent-index-creation: takes seconds for millions of rows, and can be created before
# squawk-ignore require-concurrent-index-deletion: its successor has the same columns, and takes its place at once

BY_TIME, BY_ACTION = "ix_audit_event_group_id_at_id", "ix_audit_event_group_id_action_at_id"
OF_GROUPS = sa.text("group_id IS NOT NULL")
IS_CHANGE = sa.text(
    "action NOT IN ('session.started', 'session.refused', 'session.elevated', 'session.ended', 'second_factor.refused')"
)
UNVERIFIED = sa.text("NOT is_verified")


def upgrade() -> None:
    op.create_index("ix_user_unverified", "user", ["id"], postgresql_where=UNVERIFIED, if_not_exists=True)
    columns = ["group_id", "action", "at", "id"]
    op.create_index(BY_ACTION, "audit_event", columns, postgresql_where=OF_GROUPS, if_not_exists=True)
    op.drop_index(BY_TIME, table_name="audit_event")
    op.create_index(BY_TIME, "audit_event", ["group_id", "at", "id"], postgresql_where=OF_GROUPS)
    op.create_index(
        "ix_audit_event_changes", "audit_event", ["at", "id"], postgresql_where=IS_CHANGE, if_not_exists=True
    )
    # For events of one user, and of one group: which values occur together.
    op.execute("CREATE STATISTICS st_audit_event (mcv) ON action, actor_id, user_id, group_id FROM audit_event")


def downgrade() -> None:
    op.execute("DROP STATISTICS st_audit_event")
    op.drop_index("ix_audit_event_changes", table_name="audit_event", postgresql_where=IS_CHANGE)
    op.drop_index(BY_TIME, table_name="audit_event", postgresql_where=OF_GROUPS)
    op.create_index(BY_TIME, "audit_event", ["group_id", "at", "id"])
    op.drop_index(BY_ACTION, table_name="audit_event", postgresql_where=OF_GROUPS)
    op.drop_index("ix_user_unverified", table_name="user", postgresql_where=UNVERIFIED)
