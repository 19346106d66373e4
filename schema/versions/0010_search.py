"""Indexes by which a number is found by a part of it."""

from alembic import op

from schema.migrate import execute_file

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "search.sql")


def downgrade() -> None:
    op.execute("DROP INDEX public.ix_search_dids_number_part, public.ix_search_dids_description")
