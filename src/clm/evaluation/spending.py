"""How an update's error rate is spent: most by its own candidate, the rest by what repair tries. Pure.

Each candidate that is judged on the same examples is one more chance to pass by accident: five looks at the full rate
let a true loss through in 17 % to 19 % of updates. So repair's tries get a tenth of the rate together. Steps between
the old expert and the new are tried from the smallest on until one does not pass, and the last that passed is kept;
then one share is enough for all of them (fixed sequence, Maurer, Hothorn & Lehmacher 1995): the first bad one in the
order has to pass by accident for any bad one to be kept. Suites that are just large enough for the whole rate, and not
for what would be left of it, spend it all on the update's own candidate.
"""

from clm.evaluation.exact import fewest_to_pass

_OF_TRIES = 0.1  # of the error rate


def level_of(error: float, n: int, margin: float, tries: int, is_try: bool) -> float:
    """What one look may spend of the error rate; 0: it can't pass.

    `tries`: how many kinds of tries may follow, or did, each with a share of its own; `is_try`: this look is one.
    """
    if tries == 0:
        return error
    left = error * (1 - _OF_TRIES)
    if fewest_to_pass(margin, error) <= n < fewest_to_pass(margin, left):
        return 0.0 if is_try else error
    return error * _OF_TRIES / tries if is_try else left
