"""Indexes by which lists are searched and sorted."""

from alembic import op

from schema.migrate import execute_file

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "lists.sql")


def downgrade() -> None:
    op.execute("DROP INDEX ix_dids_status_number, ix_dids_description_number, ix_calls_started, ix_tariffs_loss")
