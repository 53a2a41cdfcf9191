"""What Alembic runs around the migrations: they join the caller's transaction."""

from alembic import context

from schemas.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
with context.begin_transaction():
    context.run_migrations()
