"""What stays the same while an update runs."""

from dataclasses import dataclass
from pathlib import Path

from clm.catalog import service as catalog
from clm.core.database import Database
from clm.core.recent import Recent
from clm.errors import InvalidInput
from clm.installation import Installation
from clm.llm.fitness import Fitness, fitness_of
from clm.policies import ModelPolicy
from clm.records import task_of
from clm.registry import bundle as bundles
from clm.settings import Paths
from clm.store.store import Store
from clm.strategies import adapter_of
from clm.updates import service as updates


@dataclass(frozen=True)
class Context:
    """An update on its installation. A release never changes under an update."""

    installation: Installation
    update_id: str
    model: str
    task: str
    policy: ModelPolicy
    champion: bundles.BundlePaths  # the one that the snapshot stage saw
    removes: bool = False  # the update takes the task's experts out, and trains nothing
    consolidates: bool = False  # it makes one expert of the task's parts
    adapter: str = ""  # whose expert is trained: the task's own, its group's, or the one that all share
    mates: tuple[str, ...] = ()  # other experts' names in the champion that are this adapter too

    @property
    def database(self) -> Database:
        return self.installation.database

    @property
    def store(self) -> Store:
        return self.installation.store

    @property
    def paths(self) -> Paths:
        return self.installation.paths

    @property
    def folder(self) -> Path:
        return self.paths.updates / self.update_id

    @property
    def champion_folder(self) -> Path:
        return self.paths.releases / self.champion.release_id

    @property
    def has_parts(self) -> bool:
        """True where a task may have several experts: each is its own then."""
        return any(chosen.name == "experts" for chosen in self.policy.training.strategies)

    @property
    def start(self) -> str | None:
        """The name of the released expert that the training goes on from."""
        return next((name for name in (self.task, *self.mates) if name in self.champion.experts), None)

    def fitness(self) -> Fitness | str:
        """What the base can read and the update's policy allows; a sentence where this machine can't tell."""
        return fitness_of(self.paths.bases / self.champion.base_hash, self.policy.training.max_tokens)


class Contexts:
    """Of the updates on one installation. A champion is verified once an update: it takes longer with every expert."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._champions = Recent[bundles.BundlePaths](1)

    def of(self, update_id: str) -> Context:
        on = self._installation
        with on.database.read() as session:
            update = updates.get_update(session, update_id)
            groups = {t.name: t.group for t in catalog.list_tasks(session, update.model, removed=True)}
        if update.champion is None:
            raise InvalidInput(f"Model {update.model!r} has no champion; create it again with `clm model create`.")
        path = on.paths.releases / update.champion
        champion = self._champions.get((update_id, path), lambda: bundles.load_bundle(path, on.paths.keys))
        policy = ModelPolicy.model_validate(update.policy)
        chosen, task = policy.training.strategies, update.task
        adapter = adapter_of(chosen, task, groups.get(task))
        mates = tuple(
            name for name in sorted(champion.experts)
            if name != task and adapter_of(chosen, name, groups.get(task_of(name))) == adapter
        )  # fmt: skip
        removes, consolidates = update.kind == "remove", update.kind == "consolidate"
        return Context(on, update_id, update.model, task, policy, champion, removes, consolidates, adapter, mates)
