"""What the company has settled, and how customers dial."""

from alembic import op

from schema.migrate import execute_file

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "settings.sql")


def downgrade() -> None:
    op.execute(
        """
        DROP FUNCTION IF EXISTS public.normalise_number, public.number_rules_of;
        DROP VIEW IF EXISTS public.brazilian_rules;
        DROP TYPE IF EXISTS public.normalised_number;
        ALTER TABLE public.customers DROP COLUMN number_rules, DROP COLUMN area_code;
        DROP TABLE public.number_rules, public.settings;
        """
    )
