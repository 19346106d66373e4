"""The totals of destinations by the week, too."""

from alembic import op

from schema.migrate import execute_file

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "weeks.sql")


def downgrade() -> None:
    op.execute("DELETE FROM public.call_totals WHERE period = 'week'")
