"""The migrations make what the tables say, on both kinds of database."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from clm.core.database import Database
from clm.migrations import all_tables


def test_the_migrations_make_what_the_tables_say(either: Database) -> None:
    with either.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, all_tables()) == []
