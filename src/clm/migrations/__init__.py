"""The metadata schema, version by version (Alembic). Imports every stage's tables, so that it knows all of them."""

from importlib import import_module
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, inspect, text

from clm.core.database import Base, Database

_FOLDER = Path(__file__).parent


_TABLES = (
    "clm.audit.tables",
    "clm.catalog.tables",
    "clm.core.events",
    "clm.core.idempotency",
    "clm.deployment.tables",
    "clm.evaluation.tables",
    "clm.ingest.tables",
    "clm.monitoring.tables",
    "clm.operations.tables",
    "clm.updates.tables",
    "clm.registry.tables",
)


def all_tables() -> MetaData:
    for module in _TABLES:
        import_module(module)
    return Base.metadata


def config_of(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["database"] = database
    return config


def upgrade(database: Database) -> None:
    """Upgrades to the newest version. One glance at the version table is enough when it is there already."""
    config = config_of(database)
    head = ScriptDirectory.from_config(config).get_current_head()
    with database.read() as session:
        known = inspect(session.connection()).has_table("alembic_version")
        if known and session.scalar(text("SELECT version_num FROM alembic_version")) == head:
            return
    command.upgrade(config, "head")
