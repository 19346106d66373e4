"""The calls that go on now."""

from alembic import op

from schema.migrate import execute_file

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "live.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION IF EXISTS public.price_so_far; DROP TABLE public.live_channels, public.live_nodes")
