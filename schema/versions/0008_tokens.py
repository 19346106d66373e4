"""Tokens of programs, and how often they may ask."""

from alembic import op

from schema.migrate import execute_file

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "tokens.sql")


def downgrade() -> None:
    op.execute("DROP TABLE public.rate_limits, public.api_tokens")
    op.execute("ALTER TABLE public.users DROP COLUMN tokens_valid_from")
    op.execute("ALTER TABLE public.audit_log DROP COLUMN words")
    op.execute("DROP INDEX public.ix_audit_log_username, public.ix_audit_log_kind, public.ix_audit_log_action")
    op.execute("DROP INDEX public.ix_audit_log_at, public.ix_audit_log_thing")
    op.execute("CREATE INDEX ix_audit_log_at ON public.audit_log (at)")
    op.execute("CREATE INDEX ix_audit_log_thing ON public.audit_log (kind, thing_id, at)")
