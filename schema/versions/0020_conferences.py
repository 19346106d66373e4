"""Conferences between numbers."""

from alembic import op

from schema.migrate import execute_file

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "conferences.sql")


def downgrade() -> None:
    op.execute("DROP TABLE public.conference_participants, public.conferences")
    op.execute("ALTER TABLE public.settings DROP COLUMN conference_customer_id")
