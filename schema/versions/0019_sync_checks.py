"""Proof that Asterisk has what was said."""

from alembic import op

from schema.migrate import execute_file

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "sync_checks.sql")


def downgrade() -> None:
    op.execute("DROP TABLE public.sync_checks")
