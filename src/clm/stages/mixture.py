"""Stage *mixture*: what is learned from, the task's new rows and a replayed share of its old ones."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from clm.catalog import service as catalog
from clm.core.hashing import sha256_json
from clm.errors import InvalidInput
from clm.records import Mixture, Snapshot
from clm.stages import replaying
from clm.stages.context import Context
from clm.stages.examining import no_suite
from clm.stages.fitting import sentence, told, unfit_to_train
from clm.stages.outcome import Done
from clm.stages.removal import check_parts


def draw(at: Context, snapshot: Snapshot) -> Done[Mixture]:
    mixture = mix(at, snapshot, replaying.share_of(at.policy.training), at.folder / "mixture.parquet")
    held = len(set(mixture.left_out).difference(mixture.dropped, mixture.unfit)) - mixture.undecided
    detail = {"new": mixture.new_rows, "replay": mixture.replay_rows, "held_out": mixture.held_out,
              "held": held, "superseded": mixture.superseded, "undecided": mixture.undecided,
              "dropped": len(mixture.dropped), "unfit": len(mixture.unfit),
              "left_out": told(mixture.unfit), "replayed": mixture.replayed, "memory_policy": mixture.memory_policy,
              "memory_rows": mixture.memory_rows, "answers": mixture.answers}  # fmt: skip
    return mixture, detail, _message(at, mixture, held)


def mix(at: Context, snapshot: Snapshot, replay_share: float, out: Path) -> Mixture:
    """The task's rows that its champion's expert did not see yet, and `replay_share` remembered ones for each."""
    if at.removes:
        return Mixture(at.task, "", 0, 0, 0, sha256_json([]), ())
    if at.consolidates:
        check_parts(at.champion.composition, at.task, at.has_parts)
    with at.database.read() as session:
        past = replaying.past_of(session, at.paths, at.model, at.champion.release_id)
        exam = catalog.get_task(session, at.model, at.task).exam
    if exam == "held_out" and not snapshot.suites.get(at.task):
        raise InvalidInput(no_suite(at.task))
    lineage = past.lineage.get(at.task)
    share, recall = replaying.recall(past, at.task, at.policy, replay_share, at.paths.memories)
    recall = replace(recall, unfit=partial(unfit_to_train, at.fitness()), again=at.consolidates)
    mixture = at.store.build_mixture(
        snapshot,
        at.task,
        since=lineage["snapshot"]["tables"]["records"] if lineage else None,
        replay_share=share,
        seed=at.policy.training.seed,
        out=out,
        recall=recall,
    )
    return replace(mixture, memory_budget=replaying.budget(past, at.task, at.policy))


def _message(at: Context, mixture: Mixture, held: int) -> str:
    if at.removes:
        return f"Task {at.task} is taken out: nothing is learned, so no row is needed."
    more = f", {held} held after a rejection" if held else ""
    more += f", {len(mixture.dropped)} dropped" if mixture.dropped else ""
    more += f", {mixture.superseded} superseded by newer answers" if mixture.superseded else ""
    more += f", {mixture.undecided} contradict others and wait for a person" if mixture.undecided else ""
    message = (f"{mixture.new_rows} new rows and {mixture.replay_rows} replayed; {mixture.held_out} kept out "
               f"(suite){more}." + sentence(mixture.unfit, "can't be trained on and were"))  # fmt: skip
    fitness = at.fitness()
    return f"{message} {fitness}" if isinstance(fitness, str) else message
