"""What goes into a release's bundle. Nothing here may hold a time, an update's id or an absolute path: what was
learned from the same inputs gets the same name."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from clm import __version__
from clm.catalog.tables import Model
from clm.policies import ModelPolicy
from clm.records import Json, Judged, Memory, Mixture, Snapshot, Trained, task_of
from clm.registry.bundle import BundlePaths, BundleSpec, newest_lineage, read_lineage
from clm.settings import Paths
from clm.stages.confusion import confused


def describe(
    snapshot: Snapshot,
    candidate: Judged,
    policy: ModelPolicy,
    champion: BundlePaths,
    paths: Paths,
) -> Json:
    """The release's lineage: what it learned from, how, what proved it, and what had to be repaired first."""
    scores = candidate.evaluations["candidate"].scores.items()
    trained = candidate.trained
    features = _features(paths, champion, trained)
    return {
        "task": trained.task,
        "kind": _kind(trained),
        "parent": champion.release_id,
        "snapshot": asdict(snapshot),
        "mixture": _numbers(candidate.mixture),
        "policy": policy.model_dump(mode="json"),
        "training": {
            "steps": trained.steps,
            "tokens": trained.tokens,
            "final_loss": trained.final_loss,
            "transfer": trained.transfer,
            **({"choice": trained.choice} if trained.choice else {}),
            "notes": trained.notes,
        },
        **({"confused": shares} if (shares := confused(candidate.evaluations["candidate"], features)) else {}),
        "scores": {t: {"score": s.score, "n": s.n, "suite_hash": s.suite_hash, "metric": s.metric} for t, s in scores},
        "gate": asdict(candidate.verdict),
        **({"repair": [asdict(one) for one in candidate.tries]} if candidate.tries else {}),
        "code": __version__,
    }


def bundle_spec(
    paths: Paths,
    model: Model,
    champion: BundlePaths,
    candidate: Judged,
    policy: ModelPolicy,
    lineage: Json,
    memory: Memory | None = None,
) -> BundleSpec:
    """The champion's experts with the candidate's added, put in place of its older self, or taken out."""
    trained = candidate.trained
    own: dict[str, Any] = {
        "snapshot": lineage["snapshot"],
        "mixture": lineage["mixture"],
        "record_ids": list(candidate.mixture.record_ids),
        "parent_release": champion.release_id,
        "training": lineage["training"],
        "base_hash": champion.base_hash,
        **({"memory": asdict(memory)} if memory else {}),
        **({"repair": lineage["repair"]} if "repair" in lineage else {}),
    }
    before = newest_lineage(paths.releases / champion.release_id).get(trained.task, {"turn": 0})
    own["turn"] = before.get("turn", 1) + 1  # how many updates the task had: of its parts, which one is the newest
    part = trained.part or trained.task
    router = trained.composition.router_hash
    kept = trained.composition.experts
    made_before = read_lineage(paths.releases / champion.release_id)
    return BundleSpec(
        model=model.name,
        base_reference=model.base_reference,
        base_hash=champion.base_hash,
        base_path=paths.bases / champion.base_hash,
        experts={
            name: paths.experts / kept[name] if kept[name] == trained.expert_hash else champion.experts[name][1]
            for name in kept
        },
        features=_features(paths, champion, trained),
        router=paths.routers / router if router else None,
        generation=policy.generation.model_dump(mode="json"),
        lineage=lineage,
        expert_lineage={name: own if name == part else made_before[name] for name in kept},
        states=_states(paths, champion, trained),
    )


def _features(paths: Paths, champion: BundlePaths, trained: Trained) -> dict[str, Path]:
    """What the router of the candidate was fitted on, by expert."""
    own = paths.features / f"{trained.features_hash}.safetensors"
    part = trained.part or trained.task
    return {name: own if name == part else champion.features[name][1] for name in trained.composition.experts}


def _states(paths: Paths, champion: BundlePaths, trained: Trained) -> dict[str, Path]:
    if trained.state_hash is not None:
        kept = {name: state for name, state in champion.states.items() if name in trained.composition.experts
                or task_of(name) != trained.task}  # fmt: skip
        return {**kept, trained.adapter: paths.states / f"{trained.state_hash}.safetensors"}
    removed = trained.adapter if trained.task not in trained.composition.tasks else None
    return {adapter: state for adapter, state in champion.states.items() if task_of(adapter) != removed}


def _kind(trained: Trained) -> str:
    if trained.task not in trained.composition.tasks:
        return "remove"
    return "consolidate" if trained.choice and trained.choice["kind"] == "consolidate" else "learn"


def _numbers(mixture: Mixture) -> Json:
    return {
        "hash": mixture.content_hash,
        "new_rows": mixture.new_rows,
        "replay_rows": mixture.replay_rows,
        "held_out": mixture.held_out,
        "replayed": mixture.replayed,
        "memory_policy": mixture.memory_policy,
        "memory_rows": mixture.memory_rows,
        "left_out": list(mixture.left_out),
        "dropped": list(mixture.dropped),
        "unfit": mixture.unfit,
    }
