"""`python -m clm.serving.engine`: the process that holds the base and its experts."""

import logging

from clm.core.database import Database
from clm.core.server import serve
from clm.serving.engine.app import create_app
from clm.settings import Settings


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = Settings.load()
    settings.paths.create()
    # The database is named for the shared middleware only: the engine never opens it.
    app = create_app(settings, Database(settings.database))
    serve(app, settings.host, settings.engine_port, log_level="warning", timeout_graceful_shutdown=30)


if __name__ == "__main__":
    main()
