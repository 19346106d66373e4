"""Providers' invoices, held against our calls."""

from alembic import op

from schema.migrate import execute_file

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "invoice_checks.sql")


def downgrade() -> None:
    op.execute(
        """
        DROP FUNCTION IF EXISTS public.check_invoice, public.clock_ahead, public.same_number, public.number_tail,
            public.number_digits;
        DROP TABLE public.invoice_lines, public.invoice_checks;
        DELETE FROM public.import_files f WHERE NOT EXISTS (SELECT FROM public.imports i WHERE i.id = f.import_id);
        ALTER TABLE public.import_files ADD CONSTRAINT fk_import_files_import_id_imports
            FOREIGN KEY (import_id) REFERENCES public.imports (id) ON DELETE CASCADE
        """
    )
