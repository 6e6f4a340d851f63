"""Quality scores of a text, each in [0, 1], higher is better. They describe; ingest refuses nothing because of them."""

import re
from collections.abc import Callable

LONG = 1000  # characters from which on a text counts as long enough for a full `length` score
_LINES_AND_TABS = {ord("\n"): None, ord("\t"): None}
_NO_LETTERS = re.compile(r"[\W\d_]+")


def length(text: str) -> float:
    """Characters, up to 1,000: very short texts teach little."""
    return min(1.0, len(text) / LONG)


def distinct_words(text: str) -> float:
    """Share of different words (Li et al. 2016, distinct-1, arXiv:1510.03055): low in repeated or generated filler."""
    words = text.lower().split()
    return len(set(words)) / len(words) if words else 0.0


def printable(text: str) -> float:
    """Share of characters that can be shown: low in binary rubbish and badly decoded text."""
    if not text:
        return 0.0
    shown = text.translate(_LINES_AND_TABS)
    hidden = 0 if shown.isprintable() else sum(not c.isprintable() for c in shown)
    return 1 - hidden / len(text)


def letters(text: str) -> float:
    """Share of letters among what is not white space: low in tables, logs and separators."""
    shown = "".join(text.split())
    return len(_NO_LETTERS.sub("", shown)) / len(shown) if shown else 0.0


SCORES: dict[str, Callable[[str], float]] = {
    "length": length,
    "distinct_words": distinct_words,
    "printable": printable,
    "letters": letters,
}


def scores(text: str) -> dict[str, float]:
    return {name: round(score(text), 4) for name, score in SCORES.items()}
