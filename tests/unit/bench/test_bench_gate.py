"""The benchmark of the gate, small: its keys, and that it can tell a gate that is too lenient."""

import pytest

from clm.bench import gate
from clm.bench.options import GateOptions
from clm.bench.progress import Progress
from clm.evaluation import exact

SMALL = GateOptions(least=20, most=60, step=20, sizes=(60,), tasks=(1, 3), draws=120)


def test_sizes_hold_and_what_did_not_change_passes() -> None:
    made = gate.run(SMALL, Progress())
    assert made["binary"]["worst_size"] <= 0.05 and made["binary"]["suites"] == 3
    assert made["graded"]["worst_size"] <= 0.06
    assert made["whole"]["worst_size"] <= 0.12  # 120 draws of 5 %
    assert made["no_change"]["3x60"] == pytest.approx(made["no_change"]["1x60"] ** 3)
    assert made["no_change"]["1x60"] >= 0.95 > 0.5 > made["scores_alone"]["1x60"]
    assert made["unchanged"] == {"20": 1.0, "60": 1.0}


def test_a_lenient_test_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_more(n: int, margin: float, level: float) -> tuple[int, ...]:
        return tuple(limit + 1 for limit in exact.passing_limits(n, margin, level))

    class Lenient:
        passing_limits = staticmethod(one_more)
        probability_within = staticmethod(exact.probability_within)

    monkeypatch.setattr(gate, "exact", Lenient)
    assert gate._binary(SMALL, 0.05)["worst_size"] > 0.06  # pyright: ignore[reportPrivateUsage]
