"""All kinds of targets by name, and what brings the chosen one to what the database says."""

from collections.abc import Mapping

from clm.core.database import Database
from clm.core.locks import file_lock
from clm.deployment.routes import routes_of
from clm.deployment.targets.local import Local
from clm.deployment.targets.target import Target
from clm.errors import unknown_name
from clm.formats.routes import Routes
from clm.settings import Settings

TARGETS: Mapping[str, type[Target]] = {
    "local": Local,
}


def target_of(settings: Settings) -> Target:
    """Raises NotFound for a kind that is none, with the known ones."""
    if settings.target not in TARGETS:
        raise unknown_name("kind of target", settings.target, list(TARGETS))
    return TARGETS[settings.target](settings)


def reconcile(database: Database, settings: Settings) -> Routes:
    """Makes the target serve what the database says now, and returns that. Call it after a commit.

    Whoever does this reads the database again under a file lock, so the target always ends at the newest state,
    whatever the order in which two finish.
    """
    target = target_of(settings)
    with file_lock(settings.paths.run / "routes.lock"):
        with database.read() as session:
            routes = routes_of(session)
        target.apply(routes)
    return routes
