"""A gateway's days are no longer kept: its hours tell of them, and each call record takes less."""

from alembic import op

from schema.migrate import execute_file

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Calls that end meanwhile wait, and are counted by the new functions."""
    op.execute("LOCK TABLE public.calls IN SHARE MODE")
    op.execute("DELETE FROM public.call_totals WHERE dimension = 'gateway' AND period = 'day'")


def downgrade() -> None:
    execute_file(op.get_bind(), "days_of_gateways.sql")
