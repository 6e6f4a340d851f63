"""What answers after an update, and how an evaluation asks it."""

from collections.abc import Collection, Sequence

from clm.jobs.evaluation import Contestant
from clm.jobs.job import Stored
from clm.records import Composition, Evaluation, Json
from clm.registry.bundle import BundlePaths


def composition_with(
    champion: Composition, expert: str, router: str | None, names: Collection[str], merged: Collection[str] = ()
) -> Composition:
    """The champion with an expert (a hash, as the router's) added under these names, or put in place of older ones."""
    kept = {name: known for name, known in champion.experts.items() if name not in merged}
    return Composition(champion.base_hash, dict(sorted((kept | dict.fromkeys(names, expert)).items())), router)


def scores_of(evaluations: dict[str, Evaluation]) -> Json:
    """Per composition, each task's score; for people and the record."""
    return {name: {t: s.score for t, s in e.scores.items()} for name, e in evaluations.items()}


def contestant(bundle: BundlePaths, tasks: Sequence[str] | None = None) -> Contestant:
    """A release as the evaluation asks it; `tasks`: the suites that it answers, None for all."""
    experts = {name: Stored(*expert) for name, expert in bundle.experts.items()}
    router = Stored(*bundle.router) if bundle.router else None
    return Contestant(experts, router, None if tasks is None else tuple(tasks))
