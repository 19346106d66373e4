"""Every call priced: rating, the landing of CDRs, totals."""

from alembic import op

from schema.migrate import execute_file

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "rating.sql")


def downgrade() -> None:
    execute_file(op.get_bind(), "rating_undone.sql")
