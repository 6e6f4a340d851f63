"""A database as an older version of CLM left it."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from clm import migrations
from clm.core.database import Database


def take_back(database: Database, version: str) -> None:
    """Undoes all migrations after that one."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["database"] = database
    command.downgrade(config, version)
