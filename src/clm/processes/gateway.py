"""`python -m clm.processes.gateway`: the door for clients. Here, and only here, the gateway meets monitoring."""

import logging
from dataclasses import asdict

from clm.core.database import Database
from clm.core.server import serve
from clm.monitoring import service as monitoring
from clm.monitoring.tables import Answer
from clm.serving.gateway.app import create_app
from clm.serving.gateway.request_log import AnswerRecord
from clm.settings import Settings


class MonitoringArchive:
    """Keeps answers and feedback in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_answers(self, records: list[AnswerRecord]) -> None:
        with self._database.transaction() as session:
            monitoring.add_answers(session, [Answer(**asdict(record)) for record in records])

    def add_feedback(self, record_id: str, score: float, comment: str | None) -> str:
        with self._database.transaction() as session:
            return monitoring.add_feedback(session, record_id, score, comment).id


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = Settings.load()
    settings.paths.create()
    database = Database(settings.database)
    app = create_app(settings, database, MonitoringArchive(database))
    serve(app, settings.host, settings.gateway_port, log_level="warning", timeout_graceful_shutdown=30)


if __name__ == "__main__":
    main()
