"""What customers, gateways and calls are limited to."""

from alembic import op

from schema.migrate import execute_file

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "limits.sql")


def downgrade() -> None:
    execute_file(op.get_bind(), "limits_undone.sql")
