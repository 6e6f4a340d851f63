"""The gate's findings in numbers and words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from clm.evaluation.comparison import Comparison
from clm.evaluation.finding import Finding, Side
from clm.evaluation.ruling_out import chance_to_pass, level_of_scores
from clm.evaluation.slices import RECALL
from clm.records import TaskVerdict, VerdictName

_UNSPENT = 1e-6  # the level of bounds where none of the error rate is left to spend


def task_verdict(findings: Sequence[Finding]) -> TaskVerdict:
    """The champion's side, and what the best release's side adds to it."""
    of_champion, *of_best = findings
    verdict = _against_champion(of_champion)
    for finding in of_best:
        verdict = _with_best(verdict, finding)
    return verdict


def worst(verdicts: Sequence[VerdictName]) -> VerdictName:
    if "fail" in verdicts:
        return "fail"
    return "inconclusive" if "inconclusive" in verdicts else "pass"


def overall_reason(verdict: VerdictName, tasks: tuple[TaskVerdict, ...]) -> str:
    deciding = "; ".join(task.reason for task in tasks if task.verdict == verdict)
    if verdict == "fail":
        return f"Worse than allowed: {deciding}."
    if verdict == "inconclusive":
        return f"Not decided: {deciding}."
    return f"No task lost more than its margin: {deciding}."


def weighed_average(tasks: Sequence[TaskVerdict], weights: Mapping[str, float]) -> float | None:
    """Mean difference to each task's best release (or the champion, where that is the best); None for less than two
    tasks."""
    known = [task for task in tasks if task.n]
    whole = sum(weights.get(task.task, 1.0) for task in known)
    if len(known) < 2 or whole <= 0:
        return None
    lost = [task.difference if task.since_best is None else task.since_best for task in known]
    return sum(weights.get(task.task, 1.0) * each for task, each in zip(known, lost, strict=True)) / whole


def _against_champion(finding: Finding) -> TaskVerdict:
    task, pair = finding.side.task, finding.pair
    if pair is None:
        return TaskVerdict(task, "inconclusive", f"{task}: {finding.trouble}", 0.0, 0.0, 0.0, -1.0,
                           finding.side.margin or 0.0, 0)  # fmt: skip
    failed = finding.verdict == "fail"
    decides = pair if failed or finding.judged is None else finding.judged
    spent = finding.level or _UNSPENT
    level = spent if failed else level_of_scores(decides, spent)  # the bound that is shown is the one that decides
    lower = decides.lower(level)
    some = "" if decides.complete else f" of {decides.whole}"
    reason = (
        f"{task}: {decides.ours.mean():.2f} against {decides.theirs.mean():.2f} on {decides.n}{some} "
        f"{_which(finding, decides)}, difference {decides.difference:+.2f} "
        f"({100 - level * 100:.3g} % bound {decides.upper(level) if failed else lower:+.2f}), margin {pair.margin:g}"
    )
    chance = chance_to_pass(decides, spent)
    more = None
    if finding.ruled.said and not failed:
        reason += f"; {finding.ruled.said}"
    reason += "".join(f"; a loss is shown on its {each.name} ({each.difference:+.2f} on {each.n})"
                      for each in finding.slices if each.verdict == "fail")  # fmt: skip
    if finding.verdict == "inconclusive" and finding.ruled.by is None:
        more = _more_examples(finding, decides)
        reason += f"; with as many, an update that changes nothing passes with probability {chance:.2f}"
        reason += f"; about {more} more examples would decide" if more is not None else ""
    if finding.verdict == "inconclusive":
        reason += "".join(f"; {why}" for why in finding.held_back)
    stale = sum(example.stale for example in finding.side.ours)
    ours, theirs, n = _held_out(finding.side)
    return TaskVerdict(
        task=task,
        verdict=finding.verdict,
        reason=reason + (f"; {stale} answers are stale" if stale else ""),
        candidate=ours,
        champion=theirs,
        difference=ours - theirs,
        lower_bound=lower,
        margin=pair.margin,
        n=n,
        more_examples=more,
        p_value=pair.loss_p(),
        power=chance,
        slices=finding.slices,
        passed_by=None if failed else finding.ruled.by,
        changed=int(pair.changed.sum()) if all(e.answered_by for e in finding.side.ours) else None,
        stale=stale,
    )


def _with_best(verdict: TaskVerdict, finding: Finding) -> TaskVerdict:
    assert finding.side.best is not None
    name, pair = finding.side.best.name, finding.pair
    if pair is None:
        return replace(verdict, verdict=worst([verdict.verdict, "inconclusive"]),
                       reason=f"{verdict.reason}; against its best, {name}: {finding.trouble}")  # fmt: skip
    lost = pair.difference
    passed_by = verdict.passed_by if finding.ruled.by else None
    verdict = replace(verdict, since_best=lost, verdict=worst([verdict.verdict, finding.verdict]), passed_by=passed_by)
    if finding.verdict == "pass":
        return verdict
    if finding.verdict == "fail":
        said = f"lost {-lost:.2f} since its best, {name}, more than {pair.margin:g}"
        return replace(verdict, reason=f"{verdict.reason}; {said}")
    said = f"a loss of more than {pair.margin:g} since its best, {name}, is not ruled out ({lost:+.2f})"
    more = _more_examples(finding, pair)
    if more is not None:
        said += f"; about {more} more examples would decide that"
    most = max((missing for missing in (verdict.more_examples, more) if missing is not None), default=None)
    return replace(verdict, reason=f"{verdict.reason}; {said}", more_examples=most)


def _which(finding: Finding, decides: Comparison) -> str:
    if decides is finding.judged:
        return "older examples"
    recalled = next((part.pair.n for part in finding.parts if part.name == RECALL), 0)
    return f"examples{f' ({recalled} of them taught)' if recalled else ''}"


def _more_examples(finding: Finding, pair: Comparison) -> int | None:
    """Towards a pass the bound at the gate's level decides, towards a fail the one after the correction."""
    if pair.difference <= -pair.margin:
        return pair.missing(finding.fails_at)
    return pair.missing(level_of_scores(pair, finding.level or _UNSPENT))


def _held_out(side: Side) -> tuple[float, float, int]:
    """Mean scores of candidate and champion, and of how many: of what is not taught, if there is such."""
    counted = {e.example_id for e in side.ours if e.kind != RECALL} or {e.example_id for e in side.ours}
    return (
        _mean([example.score for example in side.ours if example.example_id in counted]),
        _mean([example.score for example in side.theirs if example.example_id in counted]),
        len(counted),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
