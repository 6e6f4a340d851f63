"""The metadata schema, version by version (Alembic). Imports every stage's tables, so that it knows all of them."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from clm.core.database import Base, Database

_FOLDER = Path(__file__).parent


def metadata_with_all_tables() -> type[Base]:
    import clm.audit.tables
    import clm.catalog.tables
    import clm.core.events
    import clm.deployment.tables
    import clm.evaluation.tables
    import clm.ingest.tables
    import clm.monitoring.tables
    import clm.orchestration.tables
    import clm.registry.tables  # noqa: F401

    return Base


def _config(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["database"] = database
    return config


def upgrade(database: Database) -> None:
    """Upgrades to the newest version. One glance at the version table is enough when it is there already."""
    config = _config(database)
    head = ScriptDirectory.from_config(config).get_current_head()
    with database.read() as session:
        if inspect(session.connection()).has_table("alembic_version"):
            if session.scalar(text("SELECT version_num FROM alembic_version")) == head:
                return
    command.upgrade(config, "head")
