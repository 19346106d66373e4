"""Where phones are registered, and which gateways are reached."""

from alembic import op

from schema.migrate import execute_file

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "contacts.sql")


def downgrade() -> None:
    op.execute("DROP TABLE public.live_contacts, public.live_registrations")
