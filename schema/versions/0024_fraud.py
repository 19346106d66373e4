"""Rules against toll fraud, what they found, and alerts."""

from alembic import op

from schema.migrate import execute_file

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), "fraud.sql")


def downgrade() -> None:
    op.execute(
        """
        DROP FUNCTION IF EXISTS public.open_fraud_cases, public.fraud_backtest, public.fraud_evidence,
            public.fraud_hits, public.fraud_sums, public.fraud_counted, public.fraud_calls, public.is_stopped,
            public.is_over, public.is_international, public.calling_country;
        DROP TABLE public.alerts, public.alert_settings, public.fraud_cases, public.fraud_looks, public.fraud_tests,
            public.fraud_rules
        """
    )
