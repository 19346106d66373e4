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
    op.execute("DROP TABLE public.provider_tariffs")
