"""Imports of files, and numbers that rest."""

from alembic import op

from schema.migrate import execute_file

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "imports.sql")


def downgrade() -> None:
    op.execute(
        """
        DROP FUNCTION IF EXISTS public.release_quarantine();
        ALTER TABLE public.dids DROP COLUMN quarantine_until;
        DROP TABLE public.import_changes, public.import_tariffs, public.import_dids, public.import_files, public.imports
        """
    )
