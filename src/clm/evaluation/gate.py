"""The gate: may a candidate take the champion's place? Paired non-inferiority, task by task. Pure.

Both answered the same examples. d is the mean difference of their scores (candidate - champion), m > 0 the tolerated
loss:

    pass          a loss of m or more is ruled out, by the route, the scores or the right answers' likelihoods
                  (`clm.evaluation.ruling_out`), and what is new was learned (`clm.evaluation.slices`)
    fail          a loss of more than m is shown by the scores, on the whole suite or on one of its slices
    inconclusive  otherwise, and wherever there is no clean paired data

Every task must pass, which makes the whole no easier than its hardest task: a candidate that really loses m on any task
passes with probability 1 - confidence at most, without a correction for the number of tasks (intersection-union test,
Berger 1982). But one failing task is enough to fail, and each is another chance to do so by accident. Holm's correction
keeps the probability that a candidate that loses no more than m anywhere fails at 1 - confidence at most, however many
tasks there are and however often one looked (`clm.evaluation.sequential`); where suites have slices, half of it is
theirs.

Small losses add up. So the same is asked against the best release that each task ever had, with a margin of its own,
and the average over the tasks may not lie more than `overall_margin` below what each of them had at its best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from clm.evaluation.comparison import OF_TASKS, ExampleScore, compare, trouble
from clm.evaluation.exact import fewest_to_pass
from clm.evaluation.finding import BestEver, Finding, Side, Terms
from clm.evaluation.ruling_out import Handed, hints_at_loss, ruled_out
from clm.evaluation.significance import holm
from clm.evaluation.slices import RECALL, missing_gain, parts_of, shown_losses, slice_verdicts
from clm.evaluation.spending import level_of
from clm.evaluation.told import overall_reason, task_verdict, weighed_average, worst
from clm.records import GateVerdict, TaskVerdict, VerdictName

__all__ = ["BestEver", "ExampleScore", "Handed", "Scores", "Terms", "judge"]

Scores = Mapping[str, Sequence[ExampleScore]]  # by task


def judge(
    candidate: Scores,
    champion: Scores,
    margins: Mapping[str, float],
    confidence: float,
    best: Mapping[str, BestEver] | None = None,
    early_stop: bool = False,
    terms: Terms | None = None,
) -> GateVerdict:
    """Judges every task that any of the mappings names; a task new to the champion counts with the base's answers.

    Missing tasks, examples that don't pair up, scores outside [0, 1] and NaN are inconclusive, never a pass.
    `early_stop`: the evaluation may have ended at any of the looks of `clm.evaluation.sequential`, which only ever
    shows a loss: a part of a suite never passes.
    """
    best, terms = best or {}, terms or Terms()
    names = sorted({*candidate, *champion, *margins, *best})
    if not names:
        return GateVerdict("inconclusive", "Nothing was evaluated: no task has a suite.", ())
    sides = [Side(name, None, candidate.get(name, ()), champion.get(name, ()), margins.get(name)) for name in names]
    sides += [Side(name, b, candidate.get(name, ()), b.scores, b.margin) for name, b in sorted(best.items())]
    findings = _findings([_look(side, terms, 1 - confidence, early_stop) for side in sides], confidence, early_stop)
    tasks = tuple(task_verdict([one for one in findings if one.side.task == name]) for name in names)
    return _overall(tasks, terms)


def _look(side: Side, terms: Terms, error: float, early_stop: bool) -> Finding:
    """What can be said of one comparison by itself."""
    other = "the champion" if side.best is None else f"its best, {side.best.name}"
    problem = trouble(side.ours, side.theirs, side.margin, early_stop, other)
    if problem or side.margin is None:
        return Finding(side, "inconclusive", problem)
    pair = compare(side.ours, side.theirs, side.margin, side.best.chosen_from if side.best else 1)
    handed = terms.handed.get(side.task) if side.best is None else None
    parts = parts_of(side.ours, side.theirs, side.margin, terms.legacy.get(side.task)) if side.best is None else []
    named = {part.name: part.pair for part in parts if pair.complete}
    judged = pair
    if "new" in named and "legacy" in named and named["legacy"].n >= fewest_to_pass(side.margin, error):
        judged = named["legacy"]
    level = level_of(error, judged.n, side.margin, terms.tries, terms.is_try)
    ruled = ruled_out(judged, level, handed)
    if side.best is not None or not pair.complete:
        return Finding(side, "inconclusive", level=level, pair=pair, ruled=ruled)
    held_back = [
        f"its {name} examples hint at a loss ({named[name].difference:+.2f} on {named[name].n})"
        for name in ("legacy", RECALL)
        if name in named and hints_at_loss(named[name])
    ]
    gained = missing_gain(parts) if terms.require_gain else None
    held_back += [gained] if gained else []
    return Finding(
        side, "inconclusive", level=level, pair=pair, judged=judged if judged is not pair else None, ruled=ruled,
        held_back=tuple(held_back), parts=tuple(parts),
    )  # fmt: skip


def _findings(looks: Sequence[Finding], confidence: float, early_stop: bool) -> list[Finding]:
    """With verdicts: what is shown to be lost is shown beside all other claims."""
    judged = [one for one in looks if one.pair is not None]
    claims = holm([1.0 if one.ruled.by else one.pair.claim_p(early_stop) for one in judged if one.pair])
    error = 1 - confidence
    sliced = any(len(one.parts) > 1 for one in judged)
    of_tasks = OF_TASKS * error if sliced else error
    losses = shown_losses([part for one in judged if len(one.parts) > 1 for part in one.parts])
    decided = iter(claims)
    of_slices = iter(losses)
    findings: list[Finding] = []
    for one in looks:
        if one.pair is None:
            findings.append(one)
            continue
        shown = [next(of_slices) for _ in one.parts] if len(one.parts) > 1 else [1.0] * len(one.parts)
        slices = tuple(slice_verdicts(one.parts, error - of_tasks, shown))
        failed = next(decided) <= of_tasks or any(each.verdict == "fail" for each in slices)
        passed = one.ruled.by is not None and not one.held_back
        verdict: VerdictName = "fail" if failed else "pass" if passed else "inconclusive"
        findings.append(replace(one, verdict=verdict, slices=slices, fails_at=of_tasks / len(judged)))
    return findings


def _overall(tasks: tuple[TaskVerdict, ...], terms: Terms) -> GateVerdict:
    """Every task must pass, and so must their average."""
    verdict = worst([task.verdict for task in tasks])
    average = weighed_average(tasks, terms.weights)
    lost = average is not None and terms.overall_margin is not None and average < -terms.overall_margin
    if verdict != "pass" or not lost or average is None:
        return GateVerdict(verdict, overall_reason(verdict, tasks), tasks, average=average)
    reason = (
        f"Not decided: each task is within its margin, but together they lost {-average:.2f} on average since each "
        f"one's best, more than {terms.overall_margin:g}."
    )
    return GateVerdict("inconclusive", reason, tasks, average=average)
