"""Does what people asked for that takes long and is no update."""

import logging
from collections.abc import Callable, Mapping

from clm.catalog import service as catalog
from clm.core.caller import WORKER, Caller
from clm.deployment import repository as deployments
from clm.duties.duty import Duty
from clm.errors import ClmError
from clm.installation import Installation
from clm.operations import repository, service
from clm.operations.tables import Operation
from clm.policies import ModelPolicy
from clm.records import Json
from clm.stages.first_release import create_model

Tell = Callable[[str], None]
_log = logging.getLogger(__name__)


def _make_model(on: Installation, operation: Operation, tell: Tell) -> tuple[str, Json]:
    """A model that this very operation had made when it was cut off is not made again."""
    name, wish = operation.subject, operation.wish
    if (made := _made_since(on, name, operation)) is None:
        caller = Caller(operation.asked_by, reason=f"operation {operation.id}")
        policy = ModelPolicy.model_validate(wish["policy"])
        made = create_model(on, caller, name=name, base=wish["base"], policy=policy, tell=tell).release_id
    return f"Model {name} is made; its first release is the base alone, and serves.", {
        "model": name,
        "release_id": made,
    }


def _made_since(on: Installation, name: str, operation: Operation) -> str | None:
    """The release that serves a model of this name, if it was made after the operation began."""
    with on.database.read() as session:
        model = next((each for each in catalog.list_models(session) if each.name == name), None)
        if model is None or operation.started_at is None or model.created_at < operation.started_at:
            return None
        return deployments.get_deployment(session, name).champion


KINDS: Mapping[str, Callable[[Installation, Operation, Tell], tuple[str, Json]]] = {
    "make-model": _make_model,
}


class Operations(Duty):
    def tick(self) -> None:
        """One after the other, the oldest first. What was running when the worker died is done again."""
        with self.on.database.read() as session:
            waiting = repository.in_states(session, service.UNDER_WAY)
        for operation in waiting:
            self._do(operation)

    def _do(self, operation: Operation) -> None:
        database, operation_id = self.on.database, operation.id

        def tell(progress: str) -> None:
            with database.transaction() as session:
                service.tell(session, operation_id, progress)

        with database.transaction() as session:
            service.begin(session, operation_id)
        state, result = "failed", None
        try:
            outcome, result = KINDS[operation.kind](self.on, operation, tell)
            state = "done"
        except ClmError as error:
            outcome = error.sentence
        except Exception as error:
            _log.exception("operation %s failed", operation_id)
            outcome = f"CLM made a mistake ({type(error).__name__}: {error}). The worker's log has the details."
        with database.transaction() as session:
            service.finish(session, WORKER, operation_id, state, outcome, result)
