"""Asks the base's tokenizer, its template and the policy's limits about each row on its way in. Needs no torch."""

from clm.catalog import service as catalog
from clm.core.content import completion
from clm.core.database import Database
from clm.errors import Unavailable
from clm.ingest.batch import Check, Delivery
from clm.ingest.refused import sample_of
from clm.llm.fitness import fitness_of
from clm.records import Json, Record, Refusal
from clm.settings import Settings


def limits_now(database: Database, settings: Settings, model: str, task: str) -> Json:
    """What the rows of a delivery are checked against, fixed on arrival; or why they can't be asked of the base."""
    with database.read() as session:
        row = catalog.get_model(session, model)
        metric = catalog.get_task(session, model, task).metric
    policy = catalog.policy_of(row)
    longest, suite = policy.training.max_tokens, policy.suite
    limits = {"metric": metric, "share": suite.contradicting_share, "fewest": suite.contradicting_rows}
    fitness = fitness_of(settings.paths.bases / row.base_hash, longest)
    if isinstance(fitness, str):
        return limits | {"unchecked": fitness}
    return limits | {"base": row.base_hash, "max_tokens": longest}


def check_of(settings: Settings, delivery: Delivery) -> Check:
    """Raises Unavailable where the rows were to be checked and this process can't do it."""
    if delivery.base is None:
        return lambda _line, _record, _suite: None
    fitness = fitness_of(settings.paths.bases / delivery.base, delivery.max_tokens)
    if isinstance(fitness, str):
        raise Unavailable(f"{fitness} Batch {delivery.batch_id} waits in the spool until they can be.")

    def check(line: int, record: Record, suite: bool) -> Refusal | None:
        unfit = (
            fitness.exam(record.shape, record.content, delivery.metric)
            if suite
            else fitness.training(record.shape, record.content)
        )
        if unfit is None:
            return None
        said = record.content.get("prompt") or completion(record.shape, record.content)
        return Refusal(line, unfit.field, unfit.reason, sample_of(said))

    return check
