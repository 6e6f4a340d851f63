"""The gate: may a candidate take the champion's place? Paired non-inferiority, task by task. Pure.

Both answered the same examples. d is the mean difference of their scores (candidate - champion), L its lower
confidence bound, one-sided at `confidence`, and m > 0 the tolerated loss:

    pass          L >= -m   a loss of more than m is ruled out
    fail          a loss of more than m is shown: p-value of "d >= -m" after Holm's correction at most 1 - confidence
    inconclusive  otherwise, and wherever there is no clean paired data

Every task must pass, which makes the whole no easier than its hardest task: a candidate that really loses more than
m on any task passes with probability 1 - confidence at most, without a correction for the number of tasks
(intersection-union test, Berger 1982). But one failing task is enough to fail, and each is another chance to do so
by accident. Holm's correction keeps the probability that a candidate that loses no more than m anywhere fails at
1 - confidence at most, however many tasks there are and however often one looked (`clm.evaluation.sequential`).

Small losses add up. So the same is asked against the best release that each task ever had, with a margin of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from clm.evaluation.comparison import Comparison, ExampleScore, compare, trouble
from clm.evaluation.significance import holm, loss_p, power
from clm.records import GateVerdict, TaskVerdict, VerdictName

__all__ = ["BestEver", "ExampleScore", "Scores", "judge"]

Scores = Mapping[str, Sequence[ExampleScore]]  # by task


@dataclass(frozen=True)
class BestEver:
    """The best release that a task ever had, scored on the examples that the candidate answered too."""

    name: str  # "v3"
    scores: Sequence[ExampleScore]
    margin: float
    chosen_from: int  # comparable releases


def judge(
    candidate: Scores,
    champion: Scores,
    margins: Mapping[str, float],
    confidence: float,
    best: Mapping[str, BestEver] | None = None,
    early_stop: bool = False,
) -> GateVerdict:
    """Judges every task that any of the mappings names; a task new to the champion counts with the base's answers.

    Missing tasks, examples that don't pair up, scores outside [0, 1] and NaN are inconclusive, never a pass.
    `early_stop`: the evaluation may have ended at any of the looks of `clm.evaluation.sequential`, which only ever
    shows a loss: a part of a suite never passes.
    """
    best = best or {}
    names = sorted({*candidate, *champion, *margins, *best})
    if not names:
        return GateVerdict("inconclusive", "Nothing was evaluated: no task has a suite.", ())
    sides = [_Side(name, None, candidate.get(name, ()), champion.get(name, ()), margins.get(name)) for name in names]
    sides += [_Side(name, b, candidate.get(name, ()), b.scores, b.margin) for name, b in sorted(best.items())]
    found = _findings(sides, confidence, early_stop)
    tasks = tuple(
        _task_verdict([finding for finding in found if finding.side.task == name], confidence) for name in names
    )
    verdict = _worst([task.verdict for task in tasks])
    return GateVerdict(verdict, _overall_reason(verdict, tasks), tasks)


@dataclass(frozen=True)
class _Side:
    """A task's candidate and what it is compared with: the champion, or the best release."""

    task: str
    best: BestEver | None
    ours: Sequence[ExampleScore]
    theirs: Sequence[ExampleScore]
    margin: float | None


@dataclass(frozen=True)
class _Finding:
    side: _Side
    verdict: VerdictName
    trouble: str | None = None
    pair: Comparison | None = None
    fails_at: float = 0.0  # the confidence that a fail needs of one comparison


def _findings(sides: Sequence[_Side], confidence: float, early_stop: bool) -> list[_Finding]:
    found: list[_Finding] = []
    for side in sides:
        other = "the champion" if side.best is None else f"its best, {side.best.name}"
        problem = trouble(side.ours, side.theirs, side.margin, early_stop, other)
        if problem or side.margin is None:
            found.append(_Finding(side, "inconclusive", problem))
            continue
        chosen_from = side.best.chosen_from if side.best else 1
        found.append(_Finding(side, "inconclusive", pair=compare(side.ours, side.theirs, side.margin, chosen_from)))
    pairs = [finding.pair for finding in found if finding.pair is not None]
    passes = [pair.complete and pair.bounds(confidence).lower >= -pair.margin for pair in pairs]
    claims = holm([1.0 if good else pair.claim_p(early_stop) for pair, good in zip(pairs, passes, strict=True)])
    decided = iter(zip(passes, claims, strict=True))
    return [
        finding if finding.pair is None else _decided(finding, *next(decided), confidence, len(pairs))
        for finding in found
    ]


def _decided(finding: _Finding, good: bool, claim: float, confidence: float, claims: int) -> _Finding:
    if good:
        return replace(finding, verdict="pass")
    fails_at = 1 - (1 - confidence) / claims
    return replace(finding, verdict="fail" if claim <= 1 - confidence else "inconclusive", fails_at=fails_at)


def _task_verdict(findings: Sequence[_Finding], confidence: float) -> TaskVerdict:
    """The champion's side, and what the best release's side adds to it."""
    of_champion, *of_best = findings
    told = _against_champion(of_champion, confidence)
    for finding in of_best:
        told = _with_best(told, finding, confidence)
    return told


def _against_champion(finding: _Finding, confidence: float) -> TaskVerdict:
    task, pair = finding.side.task, finding.pair
    if pair is None:
        return TaskVerdict(task, "inconclusive", f"{task}: {finding.trouble}", 0.0, 0.0, 0.0, -1.0,
                           finding.side.margin or 0.0, 0)  # fmt: skip
    bounds = pair.bounds(confidence)
    bound = bounds.upper if finding.verdict == "fail" else bounds.lower  # the one that decides
    some = "" if pair.complete else f" of {pair.whole}"
    reason = (
        f"{task}: {pair.ours.mean():.2f} against {pair.theirs.mean():.2f} on {pair.n}{some} examples, "
        f"difference {bounds.difference:+.2f} ({confidence * 100:g} % bound {bound:+.2f}), margin {pair.margin:g}"
    )
    chance = power(pair.ours, pair.theirs, pair.margin, confidence)
    more = None
    if finding.verdict == "inconclusive":
        more = _more_examples(finding, confidence)
        reason += f"; with as many, an update that changes nothing passes with probability {chance:.2f}"
        reason += f"; about {more} more examples would decide" if more is not None else ""
    return TaskVerdict(
        task=task,
        verdict=finding.verdict,
        reason=reason,
        candidate=float(pair.ours.mean()),
        champion=float(pair.theirs.mean()),
        difference=bounds.difference,
        lower_bound=bounds.lower,
        margin=pair.margin,
        n=pair.n,
        more_examples=more,
        p_value=loss_p(pair.ours, pair.theirs),
        power=chance,
    )


def _with_best(told: TaskVerdict, finding: _Finding, confidence: float) -> TaskVerdict:
    assert finding.side.best is not None
    name, pair = finding.side.best.name, finding.pair
    if pair is None:
        return replace(told, verdict=_worst([told.verdict, "inconclusive"]),
                       reason=f"{told.reason}; against its best, {name}: {finding.trouble}")  # fmt: skip
    bounds = pair.bounds(confidence)
    told = replace(told, since_best=bounds.difference, verdict=_worst([told.verdict, finding.verdict]))
    if finding.verdict == "pass":
        return told
    if finding.verdict == "fail":
        said = f"lost {-bounds.difference:.2f} since its best, {name}, more than {pair.margin:g}"
        return replace(told, reason=f"{told.reason}; {said}")
    said = f"a loss of more than {pair.margin:g} since its best, {name}, is not ruled out ({bounds.difference:+.2f})"
    more = _more_examples(finding, confidence)
    if more is not None:
        said += f"; about {more} more examples would decide that"
    most = max((missing for missing in (told.more_examples, more) if missing is not None), default=None)
    return replace(told, reason=f"{told.reason}; {said}", more_examples=most)


def _more_examples(finding: _Finding, confidence: float) -> int | None:
    """Towards a pass the bound at the gate's confidence decides, towards a fail the one after the correction."""
    pair = finding.pair
    assert pair is not None
    losing = float((pair.ours - pair.theirs).mean()) <= -pair.margin
    return pair.missing(finding.fails_at if losing else confidence)


def _worst(verdicts: Sequence[VerdictName]) -> VerdictName:
    if "fail" in verdicts:
        return "fail"
    return "inconclusive" if "inconclusive" in verdicts else "pass"


def _overall_reason(verdict: VerdictName, tasks: tuple[TaskVerdict, ...]) -> str:
    deciding = "; ".join(task.reason for task in tasks if task.verdict == verdict)
    if verdict == "fail":
        return f"Worse than allowed: {deciding}."
    if verdict == "inconclusive":
        return f"Not decided: {deciding}."
    return f"No task lost more than its margin: {deciding}."
