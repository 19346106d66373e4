"""Schema asterisk: what Asterisk reads and writes."""

from alembic import op

from schema.migrate import execute_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "asterisk_tables.sql")


def downgrade() -> None:
    op.execute("DROP SCHEMA asterisk CASCADE")
