"""Calls over TLS, with their media encrypted."""

from alembic import op

from schema.migrate import execute_file

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "encrypted_calls.sql")


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE public.gateways DROP COLUMN srtp;
        ALTER TABLE public.customers DROP COLUMN srtp, DROP COLUMN trunk_transport
        """
    )
