"""Sessions, tokens and the second factor of those who sign in."""

from alembic import op

from schema.migrate import execute_file

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "accounts.sql")


def downgrade() -> None:
    op.execute("SELECT 1")
