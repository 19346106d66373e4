"""Identifies are named so that Asterisk sorts them quickly (webapp/asterisk/projection/sip.py)."""

from __future__ import annotations

from alembic import op
from sqlalchemy import bindparam, column, select, table, text, update

from webapp.asterisk.projection.sip import identify_id

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

IDENTIFIES = table("ps_endpoint_id_ips", column("id"), column("endpoint"), column("owner"), schema="asterisk")

# The nodes have them in a cache as a whole.
READ_ANEW = """
    INSERT INTO public.outbox (node, action, object, request_id)
    SELECT name, 'populate_identify', '', 'migration 0026' FROM public.nodes WHERE enabled
"""


def upgrade() -> None:
    """Those of gateways and customers: one that somebody made by hand has no owner, and the canary stays as it is."""
    connection = op.get_bind()
    names = connection.scalars(select(IDENTIFIES.c.endpoint).where(IDENTIFIES.c.owner != "system")).all()
    if names:
        rename = update(IDENTIFIES).where(IDENTIFIES.c.id == bindparam("old")).values(id=bindparam("new"))
        connection.execute(rename, [{"old": name, "new": identify_id(name)} for name in names])
        connection.execute(text(READ_ANEW))


def downgrade() -> None:
    op.execute("UPDATE asterisk.ps_endpoint_id_ips SET id = endpoint WHERE owner <> 'system'")
    op.execute(READ_ANEW)
