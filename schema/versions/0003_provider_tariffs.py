"""What providers charge us."""

from alembic import op

from schema.migrate import execute_file

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "provider_tariffs.sql")


def downgrade() -> None:
    # The functions come from functions/tariffs.sql.
    op.execute(
        "DROP FUNCTION IF EXISTS public.tariff_for, public.provider_tariff_for; DROP TABLE public.provider_tariffs"
    )
