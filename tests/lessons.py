"""Two tasks that conflict, for tests of what a training forgets: the same words lead to other answers."""

from typing import Any

from clm.llm.base import Base
from clm.llm.decoder import Expert
from clm.llm.prompts import example_ids
from clm.llm.runtime import Runtime
from clm.policies import TrainingPolicy
from clm.training.examples import Example

COLOURS = ("red", "blue")
TOWNS = ("Oslo", "Bern")


def rows(task: str, start: int, count: int) -> list[Example]:
    words = COLOURS if task == "colour" else TOWNS
    said = "paint {n} {w}" if task == "colour" else "fly to {w} at {n}"
    numbered = [(n, words[n % len(words)]) for n in range(start, start + count)]
    return [
        Example(f"{task} {n}", "completion", {"prompt": said.format(n=n, w=word), "completion": word})
        for n, word in numbered
    ]


def texts(start: int, count: int) -> list[Example]:
    return [Example(f"text {n}", "text", {"text": f"Bern lies {n} km from Oslo."}) for n in range(start, start + count)]


def policy(*strategies: Any, **more: Any) -> TrainingPolicy:
    settings = {"rank": 4, "alpha": 8, "epochs": 12, "learning_rate": 5e-3, "batch_size": 8, "checkpoint_every": 5}
    return TrainingPolicy.model_validate({**settings, "strategies": strategies, **more})


def loss(base: Base, expert: Expert | None, task: str) -> float:
    """Mean over held-out rows, nats per token."""
    runtime = Runtime(base)
    if expert is not None:
        runtime.experts["it"] = expert
    ids = [example_ids(base.tokenizer, row.shape, row.content) for row in rows(task, 500, 16)]
    return -float(runtime.log_likelihood(ids, "it" if expert else None).mean())


def short(*strategies: Any, **more: Any) -> TrainingPolicy:
    return policy(*strategies, **{"epochs": 2, **more})
