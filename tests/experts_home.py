"""A home whose model serves several experts without any training: each says something of its own, at random."""

from dataclasses import replace
from pathlib import Path

import torch

from clm.deployment.tables import Deployment
from clm.llm.base import load_base
from clm.llm.experts import new_expert, save_expert
from clm.llm.router import Seen, save_features, save_router
from clm.policies import GenerationPolicy
from clm.records import Release
from clm.registry import bundle as bundles
from clm.registry import service as registry
from clm.training.examples import Example
from clm.training.routing import fit, see
from cycle_home import MODEL, TEST, Home


def serve_experts(home: Home, rows: dict[str, list[dict[str, str]]]) -> Release:
    """Makes a release with an expert per task, routed by what `rows` look like, and lets it serve at once."""
    paths = home.settings.paths
    with home.database.read() as session:
        first = registry.get(session, "v1", MODEL)
    base_path = paths.bases / first.composition.base_hash
    base = load_base(base_path, threads=1)
    experts: dict[str, Path] = {}
    seen: dict[str, Seen] = {}
    features: dict[str, Path] = {}
    for seed, (task, examples) in enumerate(rows.items(), 1):
        expert = new_expert(base, base.trunk_layers, rank=4, alpha=8, seed=seed)
        random = torch.Generator().manual_seed(seed)
        for _, second in expert.weights.values():
            second.normal_(0, 0.5, generator=random)
        experts[task] = save_expert(expert, base.hash, paths.experts)[1]
        shown = [Example(f"rec_{n}", "completion", dict(row)) for n, row in enumerate(examples)]
        seen[task] = replace(see(base, shown, base.reading), answers=None)
        features[task] = save_features(seen[task], paths.features)[1]
    spec = bundles.BundleSpec(
        model=MODEL,
        base_reference=first.manifest["base"]["reference"],
        base_hash=base.hash,
        base_path=base_path,
        experts=experts,
        features=features,
        router=save_router(fit(base, seen, seed=17), paths.routers)[1],
        generation=GenerationPolicy(max_new_tokens=8).model_dump(mode="json"),
        lineage={"task": next(iter(rows)), "parent": first.release_id},
        expert_lineage={
            task: {"snapshot": {"tables": {"records": 0, "suites": 0}}, "record_ids": [], "mixture": {}}
            for task in rows
        },
    )
    made_bundle = bundles.write_bundle(spec, paths.releases, paths.keys)
    with home.database.transaction() as session:
        release = registry.register(session, TEST, made_bundle, model=MODEL, parent=first.release_id, update_id=None)
        deployment = session.get_one(Deployment, MODEL)
        deployment.previous, deployment.champion = deployment.champion, release.release_id
    return release
