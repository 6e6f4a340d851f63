"""`python -m clm.bench.training_side clm|trl JOB FOLDER`: one side of the comparison, in a process of its own.

Writes the adapter, `result.json` and, on the way, the share that is done into `progress`. What is timed is the training
alone: loading the base and, for TRL, making the trainer are left out; CLM's own tokenising and its trunk are in.
"""

import importlib
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clm.bench.processes import own_peak_mb
from clm.bench.public_sets import Row
from clm.core.files import read_json, write_json
from clm.policies import TrainingPolicy
from clm.training.examples import Example

RECENT = 20  # steps over which a training loss is averaged, as CLM's loop does


def main(arguments: list[str]) -> None:
    side, job, folder = arguments[0], read_json(Path(arguments[1])), Path(arguments[2])
    policy = TrainingPolicy.model_validate(job["policy"])
    examples = [Example(f"row {n}", "completion", _content(row)) for n, row in enumerate(job["rows"])]
    steps: list[float] = []  # mean of the last losses after each step
    result = {"clm": _clm, "trl": _trl}[side](job, examples, policy, folder, steps)
    per_epoch = len(steps) // policy.epochs
    result["losses"] = [steps[(epoch + 1) * per_epoch - 1] for epoch in range(policy.epochs)]
    write_json(folder / "result.json", {**result, "steps": len(steps), "peak_memory_mb": own_peak_mb()})


def _content(row: Row) -> dict[str, Any]:
    return {"prompt": row["prompt"], "completion": row["completion"]}


class _Clock:
    """Seconds, and computing time, between its making and `result`."""

    def __init__(self) -> None:
        self._started, self._computed = time.perf_counter(), time.process_time()

    def result(self, adapter: Path, tokens: int) -> dict[str, Any]:
        seconds, computed = time.perf_counter() - self._started, time.process_time() - self._computed
        return {"adapter": str(adapter), "tokens": tokens, "seconds": seconds, "cpu_seconds": computed}


def _clm(
    job: dict[str, Any], examples: list[Example], policy: TrainingPolicy, folder: Path, steps: list[float]
) -> dict[str, Any]:
    from clm.llm.base import load_base
    from clm.llm.experts import save_expert
    from clm.training.loop import Progress, train

    base = load_base(Path(job["base"]), job["threads"])

    def on_progress(progress: Progress) -> None:
        steps.append(progress.loss)
        _tell(folder, progress.step / (progress.steps or 1))  # of so many epochs, so the steps are known

    clock = _Clock()
    trained = train(base, examples, policy, init_expert=Path(job["first"]), on_progress=on_progress)
    timed = clock.result(folder, trained.tokens)
    return {**timed, "adapter": str(save_expert(trained.expert, base.hash, folder / "adapter")[1])}


def _trl(
    job: dict[str, Any], examples: list[Example], policy: TrainingPolicy, folder: Path, steps: list[float]
) -> dict[str, Any]:
    """SFTTrainer at its fastest on a CPU: float32, no gradient checkpointing; its other defaults stay."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

    from clm.llm.tokenizer import ChatTokenizer
    from clm.training.examples import tokenise
    from clm.training.length import learning_rate

    # By name, for types can be checked where the extra is not installed.
    datasets: Any = importlib.import_module("datasets")
    trl: Any = importlib.import_module("trl")
    torch.set_num_threads(job["threads"])
    base = Path(job["base"])
    data = tokenise(ChatTokenizer(base), examples, policy.max_tokens)
    lengths = [len(each.ids) for each in data]
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, job["first"], is_trainable=True)

    class _Watch(TrainerCallback):
        losses: list[float] = []

        def on_log(self, *known: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                state = known[1]  # after the arguments
                self.losses.append(logs["loss"])
                steps.append(statistics.fmean(self.losses[-RECENT:]))
                _tell(folder, state.global_step / state.max_steps)

    class _Trainer(trl.SFTTrainer):
        """With CLM's order of rows and its learning rates."""

        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return _SameOrder(lengths, policy)

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            def share(step: int) -> float:
                return learning_rate(policy, min(step, num_training_steps - 1), num_training_steps) / peak

            peak = policy.learning_rate
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, share)
            return self.lr_scheduler

    settings = trl.SFTConfig(
        output_dir=str(folder / "trl"), num_train_epochs=policy.epochs, per_device_train_batch_size=policy.batch_size,
        learning_rate=policy.learning_rate, weight_decay=0.0, max_grad_norm=policy.gradient_clip, seed=policy.seed,
        use_cpu=True, bf16=False, gradient_checkpointing=False, packing=False, max_length=None, logging_steps=1,
        save_strategy="no", report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    dataset = datasets.Dataset.from_list([{"input_ids": each.ids, "labels": each.labels} for each in data])
    trainer = _Trainer(
        model, settings, train_dataset=dataset, callbacks=[_Watch()],
        processing_class=AutoTokenizer.from_pretrained(base),
    )  # fmt: skip
    clock = _Clock()
    trainer.train()
    timed = clock.result(folder / "adapter", policy.epochs * sum(lengths))
    model.save_pretrained(str(folder / "adapter"))
    return timed


class _SameOrder:
    """The rows of CLM's batches, one after the other: in whole batches, a sampler makes the same ones of them."""

    def __init__(self, lengths: list[int], policy: TrainingPolicy) -> None:
        self._lengths, self._policy, self._epoch = lengths, policy, 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        from clm.training.order import batches_of_epoch

        for batch in batches_of_epoch(self._lengths, self._policy.batch_size, self._policy.seed, self._epoch):
            yield from batch


def _tell(folder: Path, share: float) -> None:
    (folder / "progress").write_text(f"{share:.4f}")


if __name__ == "__main__":
    main(sys.argv[1:])
