"""Where a new task's expert starts: fresh, or from the expert of the task that is most like it.

A warm start can help one task and hurt another, whatever their likeness says. So the likeness only chooses whom to
ask, and data that neither start has seen decides: two short trainings, each scored on the same held-back rows. What
the warm start gained there is the forward transfer (Lopez-Paz & Ranzato 2017, arXiv:1706.08840, measured as loss).
The final training then uses all rows.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clm.core.files import read_json, write_json
from clm.errors import TrainingFailed
from clm.jobs.training import TrainingJob
from clm.llm.base import Base
from clm.llm.discriminant import Features, fit_metric
from clm.llm.router import load_features
from clm.llm.runtime import Runtime
from clm.policies import TrainingPolicy, TransferPolicy
from clm.records import Json
from clm.training.examples import Example, tokenise
from clm.training.length import expected_steps
from clm.training.loop import train
from clm.training.routing import task_features

FEWEST_ROWS = 20  # with fewer, what is held back says nothing
FEWEST_HELD_BACK = 5
_TRIAL = "trial"


@dataclass(frozen=True)
class Start:
    task: str | None  # whose expert; None: fresh
    path: Path | None
    reason: str
    evidence: Json = field(default_factory=dict[str, Any])

    def record(self) -> Json:
        """What is kept of it with the update and the release: no path, no time."""
        return {"started_from": self.task or "fresh", "reason": self.reason, **self.evidence}


def choose_start(
    base: Base,
    examples: Sequence[Example],
    policy: TrainingPolicy,
    transfer: TransferPolicy,
    experts: Mapping[str, Path],
    features: Mapping[str, Features],
    own: Features | None = None,
) -> Start:
    """The start for an expert of a task that `examples` are of; `experts` and `features` are the other tasks'.

    `own` are the router features of the examples, where they are known already. Deterministic in its inputs.
    """
    if not transfer.enabled:
        return Start(None, None, "Transfer is switched off in the policy.")
    if not experts:
        return Start(None, None, "No other task has an expert yet.")
    if len(examples) < FEWEST_ROWS:
        return Start(
            None, None, f"{len(examples)} rows are too few to hold any back; a comparison needs {FEWEST_ROWS}."
        )
    likeness = distances(task_features(base, examples) if own is None else own, {t: features[t] for t in experts})
    nearest = min(sorted(likeness), key=likeness.__getitem__)
    kept, held_back = _split(examples, transfer.held_back, policy.seed)
    rows, trial = _trial(policy, len(examples), kept, transfer.trial_share)
    evidence: Json = {
        "distances": {task: round(distance, 4) for task, distance in likeness.items()},
        "nearest": nearest,
        "held_back_rows": len(held_back),
        "trial_rows": len(rows),
        "trial_steps": trial.epochs * math.ceil(len(rows) / trial.batch_size),
    }
    fresh = _held_back_losses(base, rows, held_back, trial, None)
    try:
        warm = _held_back_losses(base, rows, held_back, trial, experts[nearest])
    except TrainingFailed as error:
        return Start(None, None, f"Going on from {nearest} failed: {error.sentence}", evidence)
    return _decide(nearest, experts[nearest], fresh, warm, evidence)


def distances(own: Features, others: Mapping[str, Features]) -> dict[str, float]:
    """From the centre of `own` to the centres of the others, in the router's metric; small is alike."""
    tasks = sorted(others)
    metric = fit_metric([np.asarray(others[task], np.float64) for task in tasks] + [np.asarray(own, np.float64)])
    centre = np.asarray(own, np.float64).mean(0, keepdims=True).astype(np.float32)
    return dict(zip(tasks, metric.distances(centre)[0, :-1].tolist(), strict=True))


def start_of_job(
    job: TrainingJob, folder: Path, base: Base, examples: Sequence[Example], own: Features
) -> Start | None:
    """The start that a training job asks for; None where the task goes on from an adapter that there is already.

    What was decided once is kept in the job's folder: a job that goes on after a crash doesn't try again.
    """
    has_own_expert = any(strategy.name == "experts" for strategy in job.policy.strategies)
    if job.init_expert or job.transfer is None or not has_own_expert:
        return None
    decided = folder / "start.json"
    if decided.exists():
        known = read_json(decided)
        return Start(known["task"], Path(known["path"]) if known["path"] else None, known["reason"], known["evidence"])
    experts = {task: expert.path for task, expert in job.others.items() if task != job.task}
    features = {task: load_features(job.other_features[task]).features for task in experts}
    start = choose_start(base, examples, job.policy, job.transfer, experts, features, own)
    write_json(decided, {**asdict(start), "path": str(start.path) if start.path else None})
    return start


def _split(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """(kept, held back), by a seeded shuffle."""
    order = list(examples)
    random.Random(seed).shuffle(order)
    held_back = max(FEWEST_HELD_BACK, round(share * len(order)))
    return order[held_back:], order[:held_back]


def _trial(
    policy: TrainingPolicy, all_rows: int, kept: list[Example], share: float
) -> tuple[list[Example], TrainingPolicy]:
    """Rows and policy of a trial that takes about `share` of the final training's steps, warm-up and all."""
    steps = max(1, round(share * expected_steps(policy, all_rows)))
    epochs = math.ceil(steps * policy.batch_size / len(kept))
    rows = min(len(kept), max(2, math.ceil(steps / epochs) * policy.batch_size))
    return kept[:rows], policy.model_copy(update={"length": "epochs", "epochs": epochs})


def _held_back_losses(
    base: Base, rows: list[Example], held_back: list[Example], policy: TrainingPolicy, init_expert: Path | None
) -> NDArray[np.float64]:
    """`[held back]`: loss per token of each row that the trial has not seen."""
    runtime = Runtime(base)
    runtime.experts[_TRIAL] = train(base, rows, policy, init_expert=init_expert, seed=policy.seed).expert
    tokens = tokenise(base.tokenizer, held_back, min(policy.max_tokens, base.model.config.max_positions - 1))
    return -runtime.log_likelihood([(each.ids, each.labels) for each in tokens], _TRIAL)


def _decide(nearest: str, path: Path, fresh: NDArray[np.float64], warm: NDArray[np.float64], evidence: Json) -> Start:
    """Warm where it is better by more than one standard error of the paired difference; a tie starts fresh."""
    gains = fresh - warm
    gain, error = float(gains.mean()), float(gains.std(ddof=1) / math.sqrt(len(gains)))
    evidence = {
        **evidence,
        "loss_fresh": round(float(fresh.mean()), 6),
        "loss_warm": round(float(warm.mean()), 6),
        "forward_transfer": round(gain, 6),
        "standard_error": round(error, 6),
    }
    figures = (
        f"held-back loss {warm.mean():.3f} from {nearest}, {fresh.mean():.3f} fresh (gain {gain:+.3f} ± {error:.3f})"
    )
    if gain > error:
        return Start(nearest, path, f"Warm: {figures}.", evidence)
    return Start(None, None, f"Fresh: {figures}.", evidence)
