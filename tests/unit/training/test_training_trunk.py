"""The trunk's states in memory, on disk or computed anew: the expert is the same."""

from pathlib import Path

import pytest
import torch

from clm.llm.base import Base, load_base
from clm.policies import TrainingPolicy
from clm.training import trunk
from clm.training.examples import Example, tokenise
from clm.training.loop import train
from clm.training.trunk import Trunk
from clm.training.weights import FlatWeights
from tiny import tiny_base

POLICY = TrainingPolicy(rank=4, alpha=8, epochs=3, batch_size=4, learning_rate=1e-3)
EXAMPLES = [
    Example(f"rec_{n}", "completion", {"prompt": f"Say {'again ' * (n % 4)}{n}", "completion": "yes" * (n % 3 + 1)})
    for n in range(14)
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


def _made_with(monkeypatch: pytest.MonkeyPatch, base: Base, work: Path, memory: int, disk: int) -> torch.Tensor:
    monkeypatch.setattr(trunk, "MAX_CACHE_BYTES", memory)
    monkeypatch.setattr(trunk, "MAX_DISK_BYTES", disk)
    return FlatWeights(train(base, EXAMPLES, POLICY, checkpoints=work).expert).flat.detach()


def test_memory_disk_and_none_give_the_same_expert(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = _made_with(monkeypatch, base, tmp_path / "memory", memory=2**30, disk=0)
    on_disk = _made_with(monkeypatch, base, tmp_path / "disk", memory=0, disk=2**30)
    computed = _made_with(monkeypatch, base, tmp_path / "computed", memory=0, disk=0)
    assert torch.equal(in_memory, on_disk)
    torch.testing.assert_close(in_memory, computed, atol=1e-4, rtol=0)  # other batches, other last digits
    assert not list((tmp_path / "disk").iterdir())  # nothing is left behind, not even after a kill


def test_where_states_are_kept_follows_their_size(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tokenise(base.tokenizer, EXAMPLES, 512)
    prefix = Trunk(base, 2, data).prefix
    size = (prefix + sum(len(e.ids) - prefix for e in data)) * base.hidden_size * 4
    assert prefix >= 10
    mapped: list[int] = []
    from_file = torch.from_file

    def watched(*args: object, **kwargs: object) -> torch.Tensor:
        mapped.append(1)
        return from_file(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(torch, "from_file", watched)
    forward = Trunk._forward  # pyright: ignore[reportPrivateUsage]
    passes: list[int] = []
    monkeypatch.setattr(Trunk, "_forward", lambda self, packed: passes.append(1) or forward(self, packed))
    for memory, disk, expected in (
        (size, 0, (0, False)),
        (size - 1, size, (1, False)),
        (size - 1, size - 1, (0, True)),
    ):
        monkeypatch.setattr(trunk, "MAX_CACHE_BYTES", memory)
        monkeypatch.setattr(trunk, "MAX_DISK_BYTES", disk)
        mapped.clear()
        made = Trunk(base, 2, data, tmp_path)
        passes.clear()
        made.batch([0, 1])
        assert (len(mapped), bool(passes)) == expected


def test_a_disk_that_is_nearly_full_is_left_alone(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunk, "MAX_DISK_SHARE", 0.0)
    computed = _made_with(monkeypatch, base, tmp_path, memory=0, disk=2**30)
    assert torch.isfinite(computed).all()
