"""Indexes by which things are found from anywhere."""

from alembic import op

from schema.migrate import execute_file

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "details.sql")


def downgrade() -> None:
    op.execute("DROP INDEX public.ix_calls_customer, public.ix_search_dids_number, public.ix_search_dids_reversed")
    op.execute("DROP INDEX public.ix_search_extensions_extension, public.ix_search_extensions_name")
