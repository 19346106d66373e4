"""Where customers' phones may be, and what new customers are limited to at first."""

from alembic import op

from schema.migrate import execute_file

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "edge.sql")


def downgrade() -> None:
    execute_file(op.get_bind(), "edge_undone.sql")
