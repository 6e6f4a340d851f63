from pathlib import Path

import pytest
import torch

from clm.core.artifacts import Artifacts
from clm.core.files import read_json
from clm.errors import InvalidInput
from clm.jobs.files import write
from clm.jobs.job import Compute, Stored
from clm.jobs.training import InterpolationJob
from clm.llm.base import Base, import_base, load_base
from clm.llm.decoder import Expert
from clm.llm.experts import load_expert, new_expert, save_expert
from clm.training import interpolation
from tiny import tiny_base


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("interpolation")
    import_base(str(tiny_base(home / "tiny")), home / "bases")
    return home / "bases"


@pytest.fixture(scope="module")
def base(bases: Path) -> Base:
    return load_base(next(bases.iterdir()), threads=1)


def trained_on(expert: Expert, seed: int) -> Expert:
    """Stands for a training: every weight of a copy is moved a little."""
    random = torch.Generator().manual_seed(seed)
    moved = {
        place: tuple(part + 0.01 * torch.randn(part.shape, generator=random).to(part.device) for part in pair)
        for place, pair in expert.weights.items()
    }
    return Expert({place: (pair[0], pair[1]) for place, pair in moved.items()}, expert.rank, expert.alpha)


@pytest.fixture(scope="module")
def old(base: Base) -> Expert:
    return trained_on(new_expert(base, 2, rank=4, alpha=8, seed=0), seed=1)


def test_a_step_goes_its_part_of_the_way_in_every_weight(old: Expert) -> None:
    new = trained_on(old, seed=2)
    made = interpolation.interpolate(old, new, 0.25)
    assert (made.rank, made.alpha, made.layers) == (old.rank, old.alpha, old.layers)
    for place, pair in made.weights.items():
        for part, before, after in zip(pair, old.weights[place], new.weights[place], strict=True):
            torch.testing.assert_close(part, before + 0.25 * (after - before))
    for step, end in ((0.0, old), (1.0, new)):
        for place, pair in interpolation.interpolate(old, new, step).weights.items():
            assert all(torch.equal(a, b) for a, b in zip(pair, end.weights[place], strict=True))


def test_experts_of_different_shape_are_refused_with_a_sentence(base: Base, old: Expert) -> None:
    with pytest.raises(InvalidInput, match="rank 4 and alpha 8, the new one rank 8 and alpha 8: only experts of one"):
        interpolation.interpolate(old, new_expert(base, 2, rank=8, alpha=8, seed=0), 0.5)
    with pytest.raises(InvalidInput, match=f"of layers 2 to {base.layers - 1}, the new one .* of layers 1 to"):
        interpolation.interpolate(old, new_expert(base, 1, rank=4, alpha=8, seed=0), 0.5)
    with pytest.raises(InvalidInput, match="step must be from 0"):
        interpolation.interpolate(old, old, 1.5)


def job(folder: Path, bases: Path, base: Base, old: Expert, new: Expert) -> Path:
    experts = folder / "experts"
    folder.mkdir(exist_ok=True)
    (folder / "bases").symlink_to(bases)
    ends = {name: Stored(*save_expert(expert, base.hash, experts)) for name, expert in (("old", old), ("new", new))}
    asked = InterpolationJob(base=base.hash, artifacts=Artifacts(folder), compute=Compute(1), step=0.5, **ends)
    write(folder / "job.json", asked)
    return folder


def test_the_job_keeps_the_expert_at_its_address_always_the_same(
    tmp_path: Path, bases: Path, base: Base, old: Expert
) -> None:
    new = trained_on(old, seed=2)
    made, again = (interpolation.run(job(tmp_path / name, bases, base, old, new)) for name in ("one", "two"))
    assert made.expert.hash == again.expert.hash
    kept = load_expert(tmp_path / "one" / "experts" / made.expert.hash, base, made.expert.hash)
    place = next(iter(kept.weights))
    torch.testing.assert_close(kept.weights[place][0], (old.weights[place][0] + new.weights[place][0]) / 2)
    assert interpolation.run(tmp_path / "one") == made  # started again after its end


def test_the_job_says_why_it_can_not(
    tmp_path: Path, bases: Path, base: Base, old: Expert, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = job(tmp_path, bases, base, old, new_expert(base, 1, rank=4, alpha=8, seed=0))
    monkeypatch.setattr("sys.argv", ["interpolation", str(folder)])
    assert interpolation.main() == 1
    assert "on the same layers" in read_json(folder / "error.json")["sentence"]
    assert not (folder / "result.json").exists()
