"""How every service writes its log: one line an event, to the file that the process tree keeps for it."""

import logging

_NOISY = ("alembic", "httpx", "httpx2", "mlflow", "dbos")


def configure() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
