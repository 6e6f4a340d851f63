"""Alembic's entry: runs the migrations inside one write transaction of our own database object."""

from alembic import context

from clm.core.database import Database
from clm.migrations import all_tables

database: Database = context.config.attributes["database"]
with database.transaction() as session:
    context.configure(connection=session.connection(), target_metadata=all_tables(),
                      render_as_batch=True, transactional_ddl=False,
                      user_module_prefix="db.")  # fmt: skip
    context.run_migrations()
