"""Stage *release*: bundles, signs and registers what was proven, with its lineage."""

from pathlib import Path

from clm.catalog import service as catalog
from clm.core.caller import WORKER
from clm.core.hashing import short
from clm.errors import TamperedArtifact
from clm.evaluation import repository as score_rows
from clm.records import Judged, Memory, Release, Snapshot
from clm.registry import bundle as bundles
from clm.registry import service as registry
from clm.stages.bests import save_untouched
from clm.stages.bundling import bundle_spec, describe
from clm.stages.context import Context
from clm.stages.gate import known_slices
from clm.stages.outcome import Done
from clm.updates import service as updates


def release(at: Context, snapshot: Snapshot, candidate: Judged) -> Done[Release]:
    with at.database.read() as session:
        model = catalog.get_model(session, snapshot.model)
    # Verified when the update began, and again now that parts of it go under a new signature.
    bundles.verify_bundle(at.champion_folder, at.paths.keys)
    lineage = describe(snapshot, candidate, at.policy, at.champion, at.paths)
    memory, known = _remember(at, snapshot, candidate), known_slices(at)
    spec = bundle_spec(at.paths, model, at.champion, candidate, at.policy, lineage, memory)
    bundle = bundles.write_bundle(spec, at.paths.releases, at.paths.keys, before=at.champion_folder)
    if bundles.composition_of(bundle.manifest) != candidate.trained.composition:
        raise TamperedArtifact("What was bundled is not what was evaluated: an expert or the router was changed.")
    with at.database.transaction() as session:
        update = updates.get_update(session, at.update_id)
        registered = registry.register(
            session, WORKER, bundle, model=snapshot.model, parent=at.champion.release_id, update_id=at.update_id
        )
        scores = {name: evaluation.scores for name, evaluation in candidate.evaluations.items()}
        score_rows.save_scores(session, snapshot.model, None, at.champion.release_id, scores["champion"], known)
        score_rows.save_scores(session, snapshot.model, at.update_id, registered.release_id, scores["candidate"], known)
        save_untouched(session, snapshot.model, candidate.evaluations)
        update.release_id = registered.release_id
    detail = {"release": registered.release_id, "number": registered.number, "task": at.task}
    return registered, detail, f"Release v{registered.number} ({short(registered.release_id)}) signed and registered."


def _remember(at: Context, snapshot: Snapshot, candidate: Judged) -> Memory | None:
    """Makes the task's replay memory, of the memory so far and the rows that were new; None where it was removed."""
    if at.removes:
        return None
    mixture, described = candidate.mixture, candidate.trained.described
    before = bundles.newest_lineage(at.champion_folder).get(mixture.task, {}).get("memory")
    return at.store.make_memory(
        snapshot,
        mixture,
        at.policy.memory,
        before=before["hash"] if before else None,
        budget=mixture.memory_budget,
        seed=at.policy.training.seed,
        folder=at.paths.memories,
        described=Path(described) if described else None,
    )
