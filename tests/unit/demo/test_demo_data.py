import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from clm.demo.data import SIZES, TASKS, Example, demo_data, write
from clm.demo.data.facts import CHANGED, NEW_ANSWER, OLD_ANSWER
from clm.demo.data.intent import ASKS

Rows = list[Example]


@pytest.fixture(scope="module")
def data() -> dict[str, Rows]:
    return demo_data()


def words(prompt: str) -> set[str]:
    return set(re.findall(r"[a-z]+", prompt.lower()))


def test_sizes_and_the_same_bytes_every_time(tmp_path: Path, data: dict[str, Rows]) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    for task in TASKS:
        assert len(data[f"{task}-train"]) == SIZES["train"] >= 150
        assert len(data[f"{task}-heldout"]) == SIZES["heldout"] >= 60
    assert len(data["intent-flipped"]) >= 100
    assert Counter(example.task for example in data["traffic"]) == dict.fromkeys(TASKS, SIZES["traffic"])


def test_rows_are_marked_as_demo_data(tmp_path: Path) -> None:
    for path in write(tmp_path):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            assert row["author"] == "CLM demo data"
            assert row["prompt"].strip() and row["completion"].strip()


@pytest.mark.parametrize("task", TASKS)
def test_training_shares_no_prompt_with_what_is_held_out(task: str, data: dict[str, Rows]) -> None:
    held_out = [example.prompt for example in data[f"{task}-heldout"]]
    trained = [example.prompt for example in data[f"{task}-train"] + data["intent-flipped"]]
    assert len(set(held_out)) == len(held_out)
    assert len(set(trained)) == len(trained)
    assert not set(held_out) & set(trained)


@pytest.mark.parametrize("task", TASKS)
def test_prompts_and_answers_are_short_and_do_not_name_the_task(task: str, data: dict[str, Rows]) -> None:
    for example in data[f"{task}-train"] + data[f"{task}-heldout"]:
        assert task not in words(example.prompt)
        assert len(example.prompt.split()) <= 40
        assert len(example.completion) <= 60


def keyword_rule(train: Rows, test: Rows, per_answer: int) -> float:
    """Accuracy of the best keywords: per answer the `per_answer` words that find it best (by F1) on training rows."""
    seen, answers = Counter[str](), Counter(example.completion for example in train)
    together: dict[str, Counter[str]] = defaultdict(Counter)
    for example in train:
        for word in words(example.prompt):
            seen[word] += 1
            together[example.completion][word] += 1
    table: dict[str, tuple[float, str]] = {}
    for answer, counts in together.items():
        quality = {word: 2 * hits / (seen[word] + answers[answer]) for word, hits in counts.items()}
        for word in sorted(quality, key=lambda word: (-quality[word], word))[:per_answer]:
            table[word] = max(table.get(word, (0.0, "")), (quality[word], answer))
    usual = answers.most_common(1)[0][0]
    guesses = [max((table[w] for w in words(e.prompt) if w in table), default=(0, usual))[1] for e in test]
    return sum(guess == example.completion for guess, example in zip(guesses, test, strict=True)) / len(test)


def purest_word_rule(train: Rows, test: Rows) -> float:
    """Accuracy of a mined table of all words: the word that points most purely to one answer decides."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for example in train:
        for word in words(example.prompt):
            table[word][example.completion] += 1
    right = 0
    for example in test:
        known = [table[word] for word in sorted(words(example.prompt)) if table[word].total() >= 3]
        best = max(known, key=lambda counts: (max(counts.values()) / counts.total(), counts.total()), default=Counter())
        right += bool(best) and best.most_common(1)[0][0] == example.completion
    return right / len(test)


@pytest.mark.parametrize(
    ("task", "one", "three", "all_words"), [("intent", 0.5, 0.6, 0.65), ("details", 0, 0, 0), ("facts", 0.3, 0.3, 0.3)]
)
def test_keywords_do_not_solve_it(task: str, one: float, three: float, all_words: float, data: dict[str, Rows]) -> None:
    train, test = data[f"{task}-train"], data[f"{task}-heldout"]
    assert keyword_rule(train, test, 1) <= one
    assert keyword_rule(train, test, 3) <= three
    assert purest_word_rule(train, test) <= all_words


def test_the_keyword_rules_work_where_a_keyword_does_solve_it() -> None:
    easy = [Example("t", f"please {word} number {n}", word) for n in range(9) for word in ("stop", "go", "wait")]
    assert keyword_rule(easy, easy, 1) == 1.0
    assert purest_word_rule(easy, easy) == 1.0


def test_intent_is_balanced_and_flipping_moves_every_label(data: dict[str, Rows]) -> None:
    for name in ("intent-train", "intent-heldout", "intent-flipped"):
        assert Counter(e.completion for e in data[name]) == dict.fromkeys(ASKS, len(data[name]) // len(ASKS))
    asks = {re.sub(r"\(([^|)]*)[^)]*\)", r"\1", ask): team for team, (known, _) in ASKS.items() for ask in known}
    recognised = [(asks[ask], e.completion) for e in data["intent-flipped"] for ask in asks if ask in e.prompt]
    assert len(recognised) >= 10
    assert all(meant != labelled for meant, labelled in recognised)


def test_details_are_in_the_message_and_facts_are_the_same_in_every_wording(data: dict[str, Rows]) -> None:
    for example in data["details-train"] + data["details-heldout"]:
        fields = json.loads(example.completion)
        assert fields["order"] in example.prompt and fields["item"] in example.prompt
        assert fields["wish"] not in words(example.prompt)
    train, test = data["facts-train"], data["facts-heldout"]
    assert {e.completion for e in test} == {e.completion for e in train}
    assert Counter(Counter(e.completion for e in test).values()) == {SIZES["heldout"] // 24: 24}


def test_one_fact_changes_and_is_told_in_other_words_than_it_is_asked(data: dict[str, Rows]) -> None:
    old = {e.completion for e in data["facts-train"] + data["facts-heldout"] if e.fact == CHANGED}
    new = {e.completion for e in data["facts-changed"] + data["facts-changed-heldout"]}
    assert (old, new) == ({OLD_ANSWER}, {NEW_ANSWER})
    assert NEW_ANSWER not in {e.completion for e in data["facts-train"]}
    assert not {e.prompt for e in data["facts-changed"]} & {e.prompt for e in data["facts-changed-heldout"]}


def test_each_fact_has_one_answer(data: dict[str, Rows]) -> None:
    answers: dict[str | None, set[str]] = defaultdict(set)
    for example in data["facts-train"] + data["facts-heldout"]:
        answers[example.fact].add(example.completion)
    assert len(answers) == 24 and None not in answers
    assert all(len(found) == 1 for found in answers.values())
