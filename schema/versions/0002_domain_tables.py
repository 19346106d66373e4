"""Schema public: what operators manage."""

from alembic import op

from schema.migrate import execute_file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # btree_gist: the constraint that no two peers claim one address compares their holders with <>.
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    execute_file(op.get_bind(), "patterns.sql")
    execute_file(op.get_bind(), "domain_tables.sql")


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE public.calls, public.outbox, public.nodes, public.audit_log, public.tariffs, public.routes,
            public.customer_dids, public.dids, public.extensions, public.customers, public.price_plans,
            public.gateways, public.providers, public.peer_addresses, public.users CASCADE;
        DROP FUNCTION public.pattern_regex, public.claim_peer_addresses, public.notify_agents,
            public.keep_partitions, public.route_call, public.legs, public.refused;
        DROP FUNCTION IF EXISTS public.presented_number, public.is_emergency;
        DROP TYPE public.call_answer;
        """
    )
