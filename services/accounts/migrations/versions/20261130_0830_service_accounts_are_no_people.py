"""service accounts are no people

Revision: 3f6d2b9c8e17
Revises: 9a3c5e7f1b24
Created: 2026-11-30 08:30:00.000000+00:00
"""

from alembic import op

revision = "3f6d2b9c8e17"
down_revision = "9a3c5e7f1b24"
branch_labels = None
depends_on = None
# squawk-ignore constraint-missing-not-valid: the check takes seconds for millions of users

NAME = "ck_user_service_account"
CONDITION = (
    "owner_group_id IS NULL OR (email = CAST(id AS text) || '@service.invalid' "
    "AND hashed_password = '!' AND NOT is_superuser)"
)


def upgrade() -> None:
    op.create_check_constraint(op.f(NAME), "user", CONDITION)


def downgrade() -> None:
    op.drop_constraint(op.f(NAME), "user", type_="check")
