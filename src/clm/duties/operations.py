"""Does what people asked for that takes long and is no update.

The worker does it, or a command line where no services run. Only one at a time does, whoever it is.
"""

import logging
import shutil
from collections.abc import Callable, Mapping

from clm.catalog import service as catalog
from clm.core.caller import WORKER, Caller
from clm.core.locks import file_lock
from clm.deployment import repository as deployments
from clm.duties.duty import Duty
from clm.errors import ClmError
from clm.installation import Installation
from clm.operations import repository
from clm.operations import service as operations
from clm.operations.tables import Operation
from clm.policies import ModelPolicy
from clm.records import Json
from clm.stages import impact
from clm.stages.first_release import create_model

Tell = Callable[[str], None]
_log = logging.getLogger(__name__)


def _make_model(on: Installation, operation: Operation, tell: Tell) -> tuple[str, Json]:
    """A model that this very operation had made when it was cut off is not made again."""
    name, request = operation.subject, operation.request
    if (release_id := _made_since(on, name, operation)) is None:
        caller = Caller(operation.asked_by, reason=f"operation {operation.id}")
        policy = ModelPolicy.model_validate(request["policy"])
        release_id = create_model(on, caller, name=name, base=request["base"], policy=policy, tell=tell).release_id
    outcome = f"Model {name} is made; its first release is the base alone, and serves."
    return outcome, {"model": name, "release_id": release_id}


def _made_since(on: Installation, name: str, operation: Operation) -> str | None:
    """The release that serves a model of this name, if it was made after the operation began."""
    with on.database.read() as session:
        model = next((each for each in catalog.list_models(session) if each.name == name), None)
        if model is None or operation.started_at is None or model.created_at < operation.started_at:
            return None
        return deployments.get_deployment(session, name).champion


def _measure_impact(on: Installation, operation: Operation, tell: Tell) -> tuple[str, Json]:
    request = operation.request
    file = on.paths.brought(operation.id) / request["file"]["name"] if request["file"] else None
    measured = impact.measure(on, request["model"], request["task"], removal=request["removal"], file=file, tell=tell)
    outcome = f"What it does to {len(measured.tasks)} tasks is measured. " + " ".join(measured.moves())
    return outcome, measured.as_json()


KINDS: Mapping[str, Callable[[Installation, Operation, Tell], tuple[str, Json]]] = {
    "make-model": _make_model,
    "impact": _measure_impact,
}


class Operations(Duty):
    def tick(self) -> None:
        """One after the other, the oldest first. What was running when its doer died is done again."""
        with self.on.database.read() as session:
            waiting = repository.in_states(session, operations.UNDER_WAY)
        for operation in waiting:
            perform(self.on, operation.id)


def perform(on: Installation, operation_id: str, say: Tell = lambda _: None) -> None:
    """Does one unless that is done, and keeps what came of it. `say` hears of its progress too."""

    def tell(progress: str) -> None:
        say(progress)
        with on.database.transaction() as session:
            operations.tell(session, operation_id, progress)

    with file_lock(on.paths.run / "operations.lock"):
        with on.database.transaction() as session:
            if operations.get(session, operation_id).state not in operations.UNDER_WAY:
                return
            operation = operations.begin(session, operation_id)
        state, outcome, result = _done(on, operation, tell)
        with on.database.transaction() as session:
            operations.finish(session, WORKER, operation_id, state, outcome, result)
        shutil.rmtree(on.paths.brought(operation_id), ignore_errors=True)


def _done(on: Installation, operation: Operation, tell: Tell) -> tuple[str, str, Json | None]:
    """What came of it: state, a sentence, and the result."""
    try:
        return "done", *KINDS[operation.kind](on, operation, tell)
    except ClmError as error:
        return "failed", error.sentence, {"title": error.title, "status": error.status}
    except Exception as error:
        _log.exception("operation %s failed", operation.id)
        outcome = f"CLM made a mistake ({type(error).__name__}: {error}). The log has the details."
        return "failed", outcome, None
