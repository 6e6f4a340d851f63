"""What rules out that one task lost more than its margin: the route, the scores or the right answers' likelihood. Pure.

*Route.* The same expert gives the same answer, so only prompts that another expert answers can be lost: the loss is at
most their share. That share is bounded (Clopper & Pearson) on the suite and on prompts beyond it, routed by candidate
and champion as if neither router had been fitted on them. Of the suite, whose scores are known, only those count that
score less; beyond it all do that another expert takes. Where of all of them not one changes hands, nothing was found
that could be lost, and the task passes however few they are; the reason says up to what share that leaves room for.

*Scores.* The exact test for right/wrong (`clm.evaluation.exact`), betting for graded scores (`clm.evaluation.betting`).

*Likelihood.* `clm.evaluation.likelihood`, where the right answers' likelihoods were measured and the scores themselves
show no loss. Where the suite is large enough, the scores get seven tenths of the error rate and the likelihoods the
rest: what is turned outright is the scores' to rule out, and near ties need little of it (docs/experiments.md).
"""

from dataclasses import dataclass

from clm.evaluation import exact, likelihood
from clm.evaluation.comparison import Comparison
from clm.records import PassedBy

_OF_SCORES = 0.7  # of the error rate, where likelihoods are there too
_HINT = 0.25  # p-value below which a loss is more than the chance that few examples bring


@dataclass(frozen=True)
class Handed:
    """Prompts of a task beyond its suite, routed by both: how many another expert takes, of how many."""

    changed: int = 0
    of: int = 0


@dataclass(frozen=True)
class RuledOut:
    by: PassedBy | None  # None: a loss is not ruled out
    said: str


NOT_RULED_OUT = RuledOut(None, "")


def ruled_out(pair: Comparison, level: float, handed: Handed | None = None) -> RuledOut:
    """`level`: of the one-sided test, 0: none passes. Only a whole suite rules anything out."""
    if not pair.complete or level <= 0:
        return NOT_RULED_OUT
    return _by_route(pair, level, handed or Handed()) or _by_scores_or_likelihood(pair, level)


def hints_at_loss(pair: Comparison) -> bool:
    """Whether the scores lost more than the margin, and that is no mere accident of a few examples."""
    return pair.difference < -pair.margin and pair.loss_p() <= _HINT


def _by_route(pair: Comparison, level: float, handed: Handed) -> RuledOut | None:
    changed, of = int(pair.changed.sum()) + handed.changed, pair.n + handed.of
    lost = int((pair.changed & (pair.differences < 0)).sum()) + handed.changed if handed.of else changed
    bound = exact.share_bound(lost, of, 1 - level)
    if changed and bound > pair.margin:
        return None
    moved = f"{changed} of {of} prompts change hands" if changed else f"none of {of} prompts changes hands"
    known = f" ({lost} that score less, or whose score is not known)" if lost < changed else ""
    room = "so at most" if bound <= pair.margin else "which alone leaves room for"
    return RuledOut(
        "route", f"{moved}{known}, and the same expert gives the same answers, {room} {bound:.1%} can be lost"
    )


def _by_scores_or_likelihood(pair: Comparison, level: float) -> RuledOut:
    of_scores = level_of_scores(pair, level)
    if pair.ruled_out_p() <= of_scores:
        return RuledOut("scores", "")
    if of_scores == level or pair.odds is None or _shows_loss(pair, level):
        return NOT_RULED_OUT
    seen = likelihood.moved((pair.ours, pair.theirs), pair.odds, pair.whole_points)
    said = (f"{seen.won} won and {seen.lost} lost outright, the other right answers' log-odds moved by "
            f"{-seen.drift:+.2f} on average")  # fmt: skip
    good = likelihood.loss_ruled_out(seen, pair.n, pair.margin, level - of_scores)
    return RuledOut("likelihood" if good else None, f"{said}, which rules a larger loss out" if good else said)


def chance_to_pass(pair: Comparison, level: float) -> float:
    """How likely an update that changes nothing passes with as many examples, if as much moves as was seen here."""
    of_scores = level_of_scores(pair, level)
    by_scores = pair.chance_to_pass(of_scores)
    if of_scores == level or pair.odds is None:
        return by_scores
    seen = likelihood.moved((pair.ours, pair.theirs), pair.odds, pair.whole_points)
    return max(by_scores, likelihood.pass_probability(seen, pair.n, pair.margin, level - of_scores))


def level_of_scores(pair: Comparison, level: float) -> float:
    """What the test of the scores gets of it: all where likelihoods can't help, for they were not measured or there
    are too few examples to rule out what is lost outright."""
    without_a_loss = exact.loss_ruled_out_p(0, 0, pair.n, pair.margin)
    if pair.odds is None or without_a_loss >= level:
        return level
    return min(_OF_SCORES * level, 0.9 * (level - without_a_loss))


def _shows_loss(pair: Comparison, level: float) -> bool:
    return pair.difference < -pair.margin and pair.loss_p() <= level
