"""Alembic's entry: it runs inside the transaction that schema.migrate opened."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # Asterisk's own migration trees keep their state in alembic_version_config and the like.
    version_table="alembic_version_asterisk_admin",
)
context.run_migrations()
