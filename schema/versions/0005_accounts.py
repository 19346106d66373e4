"""Sessions and the second factor of those who sign in, and their tries."""

from alembic import op

from schema.migrate import execute_file

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "accounts.sql")


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE public.sign_in_tries, public.known_addresses, public.second_factors, public.sessions;
        DROP FUNCTION IF EXISTS public.keep_an_admin() CASCADE;
        ALTER TABLE public.users DROP COLUMN theme, DROP CONSTRAINT ck_users_username_lower;
        """
    )
