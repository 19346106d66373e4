"""What the company has settled, and how customers dial."""

from alembic import op

from schema.migrate import execute_file

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "settings.sql")


def downgrade() -> None:
    op.execute("SELECT 1")
