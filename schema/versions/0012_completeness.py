"""Journals read, CDRs tried again, calls rated again."""

from alembic import op

from schema.migrate import execute_file

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "completeness.sql")


def downgrade() -> None:
    op.execute(
        """
        DROP FUNCTION IF EXISTS public.rerate_on, public.rating_of, public.rerated;
        DROP FUNCTION IF EXISTS public.reland_what_may_pass, public.reland;
        ALTER TABLE public.unrated_cdrs DROP COLUMN code, DROP COLUMN tries, DROP COLUMN tried_at;
        DROP TABLE public.rerating_customers, public.reratings, public.journals, public.journal_days
        """
    )
