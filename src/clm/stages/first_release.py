"""Creating a model: import its base, bundle the base alone as its first release, and let that serve."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable

from clm import errors
from clm.catalog import service as catalog
from clm.core.caller import Caller
from clm.deployment import service as deployment
from clm.deployment.targets import targets
from clm.errors import ClmError, InvalidInput
from clm.installation import Installation
from clm.policies import ModelPolicy
from clm.records import Release
from clm.registry import bundle as bundles
from clm.registry import service as registry
from clm.settings import Settings


def create_model(
    on: Installation,
    caller: Caller,
    *,
    name: str,
    base: str,
    policy: ModelPolicy,
    demo: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Release:
    """`tell` gets a sentence per step.

    Raises Conflict if the name is taken, UnsafeModel or InvalidInput if the base can't be used.
    """
    catalog.check_name("model", name)
    settings, database = on.settings, on.database
    with database.read() as session:
        if any(model.name == name for model in catalog.list_models(session)):
            raise errors.Conflict(f"There is a model named {name!r} already; choose another name.")
    tell(f"Importing the base {base}: its files are checked, converted and hashed.")
    base_hash = import_base(settings, base)
    tell("Signing the first release, which is the base alone.")
    spec = bundles.BundleSpec(
        model=name,
        base_reference=base,
        base_hash=base_hash,
        base_path=settings.paths.bases / base_hash,
        experts={},
        features={},
        router=None,
        generation=policy.generation.model_dump(mode="json"),
        lineage={"task": None, "parent": None, "policy": policy.model_dump(mode="json")},
    )
    bundle = bundles.write_bundle(spec, settings.paths.releases, settings.paths.keys)
    with database.transaction() as session:
        catalog.create_model(
            session, caller, name=name, base_reference=base, base_hash=base_hash, policy=policy, demo=demo
        )
        session.flush()
        release = registry.register(session, caller, bundle, model=name, parent=None, update_id=None)
        deployment.deploy_first(session, caller, name, release)
    targets.reconcile(database, settings)
    return release


def import_base(settings: Settings, reference: str) -> str:
    """Imports in a process of its own, for that needs torch, or in ours. Returns the base's hash."""
    if settings.jobs == "inline":
        imported = importlib.import_module("clm.llm.base").import_base(reference, settings.paths.bases)
        return str(imported.base_hash)
    command = [sys.executable, "-P", "-m", "clm.llm.import_base", reference, str(settings.paths.bases)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise ClmError(f"The base {reference!r} could not be imported; the importer said: {said[0]}") from None
    if done.returncode != 0:
        kinds = {kind.title: kind for kind in (errors.UnsafeModel, errors.NotFound, errors.TamperedArtifact)}
        raise kinds.get(answer.get("title", ""), InvalidInput)(answer["sentence"])
    return answer["base_hash"]
