"""Imports of files, and numbers that rest."""

from alembic import op

from schema.migrate import execute_file

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "imports.sql")


def downgrade() -> None:
    op.execute("SELECT 1")
