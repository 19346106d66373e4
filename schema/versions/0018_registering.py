"""From which node we register with a provider."""

from alembic import op

from schema.migrate import execute_file

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "registering.sql")


def downgrade() -> None:
    op.execute(
        """
        DROP VIEW IF EXISTS asterisk.own_registrations;
        DROP TRIGGER IF EXISTS move_registrations ON public.nodes;
        DROP FUNCTION IF EXISTS public.move_registrations, public.registering_node;
        ALTER TABLE asterisk.ps_registrations DROP COLUMN node;
        ALTER TABLE public.gateways DROP COLUMN node
        """
    )
