"""Long work that was asked for, followed to its end."""

import time

import typer

from clm.cli.api import error_of
from clm.cli.context import here
from clm.records import Json

POLL_SECONDS = 0.3


def follow(operation: Json) -> Json:
    """Its result. Where no services run on this home, it is done in this process. Raises what it failed with."""
    from clm.core.running import read_state

    if read_state(here.settings.paths) is None:
        from clm.duties.operations import perform

        perform(here.installation, operation["id"], _tell)
        ended = here.api.get(f"/operations/{operation['id']}")
    else:
        ended = _wait(operation)
    if ended["state"] == "failed":
        said: Json = ended["result"] or {}
        raise error_of(said.get("status", 500), said.get("title", "Failed"), ended["outcome"], {})
    return ended["result"]


def _wait(operation: Json) -> Json:
    progress = None
    while operation["state"] in ("queued", "running"):
        time.sleep(POLL_SECONDS)
        operation = here.api.get(f"/operations/{operation['id']}")
        if operation["progress"] not in (None, progress):
            progress = operation["progress"]
            _tell(progress)
    return operation


def _tell(sentence: str) -> None:
    typer.echo(f"{sentence.rstrip('.')} …", err=True)
