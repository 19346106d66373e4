"""Tokens of programs, and how often they may ask."""

from alembic import op

from schema.migrate import execute_file

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "tokens.sql")


def downgrade() -> None:
    op.execute("SELECT 1")
