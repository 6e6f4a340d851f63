"""Near-duplicates on one side, facts that stay, and news told from mixed-up labels."""

import random
from datetime import UTC, datetime

from clm.core.hashing import sha256_text
from clm.facts import Known
from clm.ingest.flips import Change, relabelled
from clm.ingest.holdout import Exams, choose
from clm.ingest.near import signature, similarity
from clm.ingest.routing import Line, Plan, Rules, compare

AT = datetime(2026, 1, 1, tzinfo=UTC)


def line(prompt: str, answer: str, key: str | None = None) -> Line:
    asked = sha256_text(prompt)
    return Line(1, f"rec_{prompt}{answer}", sha256_text(prompt + answer), key or asked, asked, sha256_text(answer), AT,
                "test", prompt, answer)  # fmt: skip


def held_out(lines: list[Line], exam: str = "auto", metric: str = "exact_match", share: float = 0.5) -> set[str]:
    plan: Plan = compare(lines, Known(), Rules())
    choose(plan, lines, Known(), Exams(share, exam, metric))  # type: ignore[arg-type]
    return {one.prompt for one, way in zip(lines, plan.ways, strict=True) if way.side == "suite"}


def test_near_duplicates_with_one_answer_stand_on_one_side() -> None:
    dice = random.Random(1)
    words = [f"{dice.choice('bdfgklmn')}{dice.choice('aeiou')}{dice.choice('rstpz')}e" for _ in range(400)]
    asks = [" ".join(dice.sample(words, 9)) for _ in range(60)]
    out = held_out([line(text, str(i % 3)) for i, ask in enumerate(asks) for text in (ask, ask + "s")])
    assert 30 < len(out) < 90
    assert all((ask in out) == (ask + "s" in out) for ask in asks)


def test_similar_means_nearly_all_characters() -> None:
    long = "I would like to know where my order with the blue lamp has got to, please"
    assert similarity(signature(long), signature(long + ". Thanks")) > 0.85
    assert similarity(signature("How much is a Lumo lamp?"), signature("How much is a Brio lamp?")) < 0.7


def test_what_one_row_alone_teaches_stays_but_what_follows_from_the_prompt_may_be_asked() -> None:
    labels = [line(f"question {i} is here", "yes" if i % 2 else "no") for i in range(30)]
    lone = [line(f"who is number {i}", f"name{i}") for i in range(10)]
    out = held_out(labels + lone)
    assert len(out) > 5 and not out & {one.prompt for one in lone}
    copied = [line(f"order of item{i} and colour{i}", f"item: item{i}; colour: colour{i}") for i in range(30)]
    assert len(held_out(copied)) > 5
    assert held_out(lone) == set()
    assert len(held_out([line(f"tell of {i}", f"story {i} told") for i in range(30)], metric="token_f1")) > 5
    assert held_out(labels, exam="recall") == set()


def test_one_phrasing_of_each_key_stays_in_training() -> None:
    lines = [
        line(f"phrasing {n} of {sku}", f"{sku} costs {len(sku)}", f"sku={sku}") for sku in "abcdefgh" for n in range(3)
    ]
    for exam in ("auto", "held_out"):
        out = held_out(lines, exam, share=0.9)
        assert all(any(one.prompt not in out for one in lines if one.key == key) for key in {one.key for one in lines})
        assert len(out) >= 10


def test_news_follows_a_rule_and_mixed_up_labels_do_not() -> None:
    labels = ["refund", "swap", "repair", "cancel", "other"]
    dice = random.Random(3)

    def verdict(changes: list[Change], answers: list[str] = labels) -> str | None:
        return relabelled(changes, answers, len(changes), 0.3, 5)

    flips = [Change(old, dice.choice([one for one in labels if one != old])) for old in labels * 20]
    assert "follow no rule" in (verdict(flips) or "")
    half = [Change(old, dice.choice(labels) if i % 2 else old) for i, old in enumerate(labels * 20)]
    assert "follow no rule" in (verdict(half) or "")
    exchanged = [Change(old, labels[labels.index(old) - 1]) for old in labels * 20]
    assert "exchanged" in (verdict(exchanged) or "")

    def mapped(**news: str) -> list[Change]:
        return [Change(old, news.get(old, old)) for old in labels * 20]

    assert verdict(mapped(refund="money back", swap="money back")) is None  # renamed and merged
    assert verdict(mapped(refund="swap", swap="refund")) is None  # swapped
    assert verdict([Change("15 euros", "12 euros")] * 6, [f"{n} euros" for n in range(15, 23)]) is None
    prices = [f"{n} euros" for n in range(20)]
    assert verdict([Change(price, f"{price} and a half") for price in prices], prices) is None
    assert verdict(flips[:4]) is None  # few rows are corrections
