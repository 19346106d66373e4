"""What calls say of forwards, and of why they were refused."""

from alembic import op

from schema.migrate import execute_file

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "forwards.sql")


def downgrade() -> None:
    execute_file(op.get_bind(), "forwards_undone.sql")
