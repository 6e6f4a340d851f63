"""Stage *train*: one expert of the task above the frozen trunk, and a router over all experts. Others stay."""

import time
from dataclasses import replace
from pathlib import Path

from clm.core.hashing import short
from clm.jobs.job import Stored
from clm.jobs.training import TrainingJob
from clm.records import Composition, Mixture, Trained, task_of
from clm.stages import jobs
from clm.stages.compositions import composition_with
from clm.stages.context import Context
from clm.stages.outcome import Done
from clm.stages.removal import check_removal, refit_job
from clm.store.memory import by_name


def learn(at: Context, mixture: Mixture) -> Done[Trained]:
    trained = train(at, mixture, at.folder / "train")
    if at.removes:
        kept = {"router": trained.composition.router_hash, "experts": sorted(trained.composition.experts)}
        message = f"The router is fitted again without {at.task} in {trained.seconds:.0f} s; experts stay."
        return trained, kept | {"removed": at.task, "seconds": round(trained.seconds, 1)}, message
    start = at.champion.experts.get(at.task)
    length = trained.notes["length"]
    detail = {"expert": trained.expert_hash, "router": trained.composition.router_hash, "steps": trained.steps,
              "tokens": trained.tokens, "seconds": round(trained.seconds, 1), "loss": trained.final_loss,
              "started_from": start[0] if start else "fresh", "stopped": length["stopped"],
              "still_falling": length["still_falling"], "looks": length["looks"]}  # fmt: skip
    if trained.choice:
        detail |= {"started_from": trained.choice["started_from"], "choice": trained.choice}
    if trained.transfer:
        detail |= {"started_from": trained.transfer["started_from"], "transfer": trained.transfer}
    message = (f"Expert {short(trained.expert_hash)} after {trained.steps} steps in {trained.seconds:.0f} s, "
               f"loss {trained.final_loss:.3f}; it ended because {length['stopped']}."
               + (f" {trained.choice['reason']}" if trained.choice else ""))  # fmt: skip
    return trained, detail, message


def train(at: Context, mixture: Mixture, folder: Path) -> Trained:
    """Idempotent by its folder: a job that had ended returns what it made, one that was cut off goes on."""
    if at.removes:
        return _without(at, folder)
    champion, task = at.champion, at.task
    job = TrainingJob(
        base=champion.base_hash,
        artifacts=at.paths.artifacts,
        compute=jobs.compute_of(at.installation.settings),
        task=task,
        mixture=Path(mixture.path),
        policy=at.policy.training,
        init_expert=Stored(*champion.experts[at.start]) if at.start else None,
        state=champion.states.get(at.adapter),
        others={name: Stored(*expert) for name, expert in champion.experts.items() if name != task},
        other_features={name: path for name, (_, path) in champion.features.items() if name != task},
        own_features=champion.features[task][1] if task in champion.features else None,
        transfer=at.policy.transfer,
        parts=at.policy.parts if at.has_parts else None,
        part_states={name: state for name, state in champion.states.items() if task_of(name) == task},
        changed=mixture.changed,
        consolidate=at.consolidates,
        memory_needs=by_name(at.policy.memory.policy).needs,
    )
    result = jobs.run_job(at, job, folder)
    return Trained(
        composition=composition_with(
            champion.composition, result.expert.hash, result.router.hash, (result.part, *at.mates), result.merged
        ),
        task=task,
        expert_hash=result.expert.hash,
        features_hash=result.features.hash,
        steps=result.steps,
        tokens=result.tokens,
        seconds=result.seconds,
        final_loss=result.final_loss,
        described=str(result.described) if result.described else None,
        adapter=result.part if at.has_parts else at.adapter,
        state_hash=result.state,
        notes=result.notes,
        transfer=result.transfer,
        part=result.part,
        choice=result.choice,
    )


def replaced(at: Context, trained: Trained) -> str | None:
    """The released expert that the trained one went on from and takes the place of."""
    if trained.choice is not None:
        return trained.part if trained.choice["kind"] == "refresh" else None
    return at.start


def without_growing(at: Context) -> Context:
    """The same update, whose training may not make a new part."""
    parts = at.policy.parts.model_copy(update={"grow": "never"})
    return replace(at, policy=at.policy.model_copy(update={"parts": parts}))


def _without(at: Context, folder: Path) -> Trained:
    """The champion without the task: the other experts as they are, and a router over their stored features."""
    check_removal(at.champion, at.task)
    job = refit_job(at.installation.settings, at.champion, at.policy.training, without=at.task)
    began = time.monotonic()
    result = jobs.run_job(at, job, folder)
    kept = {name: expert for name, (expert, _) in at.champion.experts.items() if task_of(name) != at.task}
    composition = Composition(at.champion.base_hash, dict(sorted(kept.items())), result.router.hash)
    unused = "" if at.mates else at.adapter  # what its strategies remember leaves with it
    return Trained(composition, at.task, "", "", 0, 0, time.monotonic() - began, 0.0, adapter=unused)
