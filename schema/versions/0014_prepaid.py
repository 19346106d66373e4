"""Customers who pay before they call."""

from alembic import op

from schema.migrate import execute_file

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "prepaid.sql")


def downgrade() -> None:
    execute_file(op.get_bind(), "prepaid_undone.sql")
