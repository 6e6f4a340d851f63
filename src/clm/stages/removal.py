"""Taking a task's expert out of a model: what must hold, and what the router is fitted on again."""

from clm.errors import InvalidInput
from clm.jobs.training import RefitJob
from clm.policies import TrainingPolicy
from clm.records import Composition, task_of
from clm.registry.bundle import BundlePaths
from clm.settings import Settings
from clm.stages.jobs import compute_of


def check_removal(champion: BundlePaths, task: str) -> None:
    """Raises InvalidInput where the champion can't do without the task, or has never learned it."""
    tasks = champion.composition.tasks
    if task not in tasks:
        known = ", ".join(sorted(tasks)) or "none"
        raise InvalidInput(
            f"Task {task!r} has no expert in the release that serves, which knows: {known}.", field="task"
        )
    if len(tasks) == 1:
        raise InvalidInput(
            f"Task {task!r} is the only one that the model has learned: without it the base is left alone. To go back "
            "to the base, use `clm rollback --to v1`.",
            field="task",
        )


def check_parts(champion: Composition, task: str, has_parts: bool) -> None:
    """Raises InvalidInput where there is nothing to make one expert of."""
    if not has_parts:
        raise InvalidInput("Tasks share an adapter under this policy, so there are no parts to make one of.")
    if len(champion.parts(task)) < 2:
        count = "one part" if champion.parts(task) else "no expert"
        raise InvalidInput(f"Task {task!r} has {count} in the release that serves, so nothing is to be made one.",
                           field="task")  # fmt: skip


def refit_job(settings: Settings, champion: BundlePaths, policy: TrainingPolicy, without: str) -> RefitJob:
    """The router over the champion's tasks but one."""
    return RefitJob(
        base=champion.base_hash,
        artifacts=settings.paths.artifacts,
        compute=compute_of(settings),
        features={name: path for name, (_, path) in champion.features.items() if task_of(name) != without},
        policy=policy,
    )
