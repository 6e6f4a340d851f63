"""The public data sets: where their files lie, how a row becomes prompt and answer, what the model is asked to do.

Texts are cut at about 400 characters, for the benchmarks run on a CPU. No instruction names its data set.
Sources and licences: the SOURCE.txt beside the files.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from clm.bench.reading import read_csv, read_json, read_json_lines, shorten
from clm.errors import NotFound

Row = dict[str, str]  # prompt, completion
MAX_CHARACTERS = 400
OUT_OF_SCOPE = 300  # prompts of a split, at most
BANKING_GROUP = 11  # intents of one step: 7 * 11 = 77


@dataclass(frozen=True)
class Pool:
    """All rows of a data set, as published but for their wording."""

    train: list[Row]
    test: list[Row]
    labels: tuple[str, ...] | None


def _row(instruction: str, text: str, answer: str) -> Row:
    return {"prompt": f"{instruction}\n\n{text}", "completion": answer}


# --- The continual-learning benchmark of O-LoRA (Wang et al. 2023, arXiv:2310.14152) -------------------------------

TOPICS = {"World": "World", "Sports": "Sports", "Business": "Business", "Science or Technology": "Sci/Tech"}


def _standard(
    data: Path,
    *,
    folder: str,
    instruction: str,
    words: Mapping[str, str] | None = None,
    text: Callable[[str], str] | None = None,
    train: str | None = None,
) -> Pool:
    """`words` renames labels; `train` names another file of training rows."""
    root = data / "standard_cl"
    names: list[str] = read_json(root / folder / "labels.json")
    words = words or {name: name for name in names}
    wording = text or (lambda sentence: shorten(sentence, MAX_CHARACTERS))

    def rows(published: Iterable[Mapping[str, str]]) -> list[Row]:
        # MNLI marks rows on whose label its annotators did not agree with "-": they can't be scored.
        known = [raw for raw in published if raw["label"] in words]
        return [_row(instruction, wording(raw["sentence"]), words[raw["label"]]) for raw in known]

    learned = [raw for _, raw in read_json_lines(root / train)] if train else read_json(root / folder / "train.json")
    tested = read_json(root / folder / "test.json")
    return Pool(rows(learned), rows(tested), tuple(words[name] for name in names))


def _title_and_text(sentence: str) -> str:
    """`Title: X\nText: Y` and `X  Y` are both published; one form for both."""
    return shorten(sentence.removeprefix("Title: ").replace("\nText: ", " "), MAX_CHARACTERS)


def _only_text(sentence: str) -> str:
    return shorten(sentence.removeprefix("Text: "), MAX_CHARACTERS)


def _two_sentences(sentence: str, *, keep_end: bool = False) -> str:
    """The second is the claim and stays whole; the first is cut."""
    first, _, second = sentence.partition("\nsentence 2: ")
    second = shorten(second, MAX_CHARACTERS // 2)
    left = MAX_CHARACTERS - len(second)
    first = shorten(first.removeprefix("sentence 1: "), left, keep_end=keep_end)
    return f"First: {first}\nSecond: {second}"


def _question_and_passage(sentence: str) -> str:
    question, _, passage = sentence.removeprefix("question: ").partition("\npassage: ")
    return f"Question: {shorten(question, MAX_CHARACTERS // 2)}\nPassage: {shorten(passage, MAX_CHARACTERS)}"


def _choice(sentence: str) -> str:
    return "\n".join(line.removesuffix(" Choose one between A and B.") for line in sentence.splitlines())


# --- TRACE's sets of 500 rows (Wang et al. 2023, arXiv:2310.06762) -------------------------------------------------

STANCES = {"A": "dovish", "B": "hawkish", "C": "neutral"}


def _trace(data: Path, *, folder: str, row: Callable[[str, str], Row], labels: tuple[str, ...] | None = None) -> Pool:
    def rows(split: str) -> list[Row]:
        published = read_json(data / "trace_500" / folder / f"{split}.json")
        return [row(raw["prompt"], str(raw["answer"])) for raw in published]

    return Pool(rows("train"), rows("test"), labels)


def _stance(prompt: str, answer: str) -> Row:
    text = prompt.partition("\nText:\n")[2].removesuffix("\nStance:")
    instruction = "Is this statement on monetary policy dovish, hawkish or neutral?"
    return _row(instruction, shorten(text, MAX_CHARACTERS), STANCES[answer])


def _school_question(prompt: str, answer: str) -> Row:
    """The published answer gives reasons too; only the letter is asked for here."""
    asked = prompt.partition("Question:\n")[2].removesuffix("\n\nAnswer:")
    question, _, choices = asked.partition("\n\nChoices:\n")
    text = f"{shorten(question, MAX_CHARACTERS, keep_end=True)}\n{choices}"
    return _row("Pick the right choice. Answer with its letter.", text, answer[0])


def _calculation(instruction: str, prompt: str, answer: str) -> Row:
    text = prompt.partition("Question:\n")[2].removesuffix("\nAnswer:")
    return _row(instruction, shorten(text, MAX_CHARACTERS, keep_end=True), answer)


# --- Intents of customers, and sums ---------------------------------------------------------------------------------


def _label(intent: str) -> str:
    return intent.replace("_", " ").replace("?", "").lower()


def _bitext(data: Path) -> Pool:
    instruction = "What does the customer want? Answer with the intent."

    def rows(file: str) -> list[Row]:
        published = read_csv(data / "bitext_support" / file)
        return [_row(instruction, shorten(r["utterance"], MAX_CHARACTERS), _label(r["intent"])) for r in published]

    train = rows("train.csv")
    return Pool(train, rows("test.csv"), tuple(sorted({row["completion"] for row in train})))


def _clinc150(data: Path) -> dict[str, Pool]:
    """Ten domains of 15 intents (Larson et al. 2019, arXiv:1909.02027); out-of-scope rows are left out."""
    splits = read_json(data / "clinc150" / "data_full.json")
    instruction = "What does the user ask an assistant for? Answer with the intent."

    def rows(split: str, intents: set[str]) -> list[Row]:
        return [_row(instruction, shorten(text, MAX_CHARACTERS), _label(intent))
                for text, intent in splits[split] if intent in intents]  # fmt: skip

    domains: dict[str, list[str]] = read_json(data / "clinc150" / "domains.json")
    return {
        domain: Pool(rows("train", set(intents)), rows("test", set(intents)), tuple(map(_label, intents)))
        for domain, intents in domains.items()
    }


def out_of_scope(data: Path) -> dict[str, list[str]]:
    """CLINC150's prompts that are of none of its intents, by split: `dev`, `test`. None where the data is not there."""
    try:
        splits = read_json(data / "clinc150" / "data_full.json")
    except NotFound:
        return {}
    return {name: [shorten(text, MAX_CHARACTERS) for text, _ in splits[split][:OUT_OF_SCOPE]]
            for name, split in (("dev", "oos_val"), ("test", "oos_test"))}  # fmt: skip


def _banking77(data: Path) -> dict[str, Pool]:
    """77 intents (Casanueva et al. 2020, arXiv:2003.04807) in seven groups of eleven, in the order of publication."""
    intents: list[str] = read_json(data / "banking77" / "categories.json")
    instruction = "What is the customer's question to the bank about? Answer with the topic."
    groups = [intents[start : start + BANKING_GROUP] for start in range(0, len(intents), BANKING_GROUP)]
    published = {split: read_csv(data / "banking77" / f"{split}.csv") for split in ("train", "test")}

    def rows(split: str, group: list[str]) -> list[Row]:
        return [_row(instruction, shorten(r["text"], MAX_CHARACTERS), _label(r["category"]))
                for r in published[split] if r["category"] in group]  # fmt: skip

    return {
        str(number): Pool(rows("train", group), rows("test", group), tuple(map(_label, group)))
        for number, group in enumerate(groups, start=1)
    }


def _overlap(data: Path) -> dict[str, Pool]:
    """CLINC150's two domains on money and the whole of Banking77, under one instruction: only what the customer says,
    and how, tells them apart."""
    instruction = "What does the customer want? Answer with the intent."
    domains, groups = _clinc150(data), list(_banking77(data).values())

    def told(rows: Iterable[Row]) -> list[Row]:
        return [_row(instruction, row["prompt"].partition("\n\n")[2], row["completion"]) for row in rows]

    pools = {name: domains[name] for name in ("banking", "credit_cards")}
    labels = [label for group in groups for label in group.labels or ()]
    pools["banking77"] = Pool(
        [row for group in groups for row in group.train], [row for group in groups for row in group.test], tuple(labels)
    )
    return {name: Pool(told(pool.train), told(pool.test), pool.labels) for name, pool in pools.items()}


def _gsm8k(data: Path) -> Pool:
    """Sums in words (Cobbe et al. 2021, arXiv:2110.14168); only the number is asked for, not the way to it."""
    instruction = "Solve this and answer with the number only."

    def rows(split: str) -> list[Row]:
        published = read_json_lines(data / "gsm8k" / f"{split}.jsonl")
        return [_row(instruction, shorten(r["question"], MAX_CHARACTERS, keep_end=True),
                     r["answer"].rpartition("####")[2].strip().replace(",", "")) for _, r in published]  # fmt: skip

    return Pool(rows("train"), rows("test"), None)


# --- By name ---------------------------------------------------------------------------------------------------------

SETS: dict[str, Callable[[Path], Pool]] = {
    "dbpedia": partial(
        _standard, folder="TC/dbpedia", train="TC/dbpedia_train_derived/train.jsonl", text=_title_and_text,
        instruction="What kind of thing is this? Answer Company, Educational Institution, Artist, Athlete, Office "
        "Holder, Mean of Transportation, Building, Natural Place, Village, Animal, Plant, Album, Film or Written Work.",
    ),
    "amazon": partial(
        _standard, folder="SC/amazon", text=_title_and_text,
        instruction="How does this buyer judge the product? Answer very negative, negative, neutral, positive or very "
        "positive.",
    ),
    "agnews": partial(
        _standard, folder="TC/agnews", words=TOPICS, text=_title_and_text,
        instruction="Which topic is this news about? Answer World, Sports, Business or Sci/Tech.",
    ),
    "SST-2": partial(
        _standard, folder="SC/SST-2", text=_only_text, instruction="Is this opinion of a film Good or Bad?"
    ),
    "MNLI": partial(
        _standard, folder="NLI/MNLI", text=_two_sentences,
        instruction="How does the second sentence relate to the first? Answer entailment, neutral or contradiction.",
    ),
    "CB": partial(
        _standard, folder="NLI/CB", text=partial(_two_sentences, keep_end=True),
        instruction="Does the speaker commit to the second sentence? Answer entailment, contradiction or neutral.",
    ),
    "RTE": partial(
        _standard, folder="NLI/RTE", text=_two_sentences,
        instruction="Does the second sentence follow from the first? Answer entailment or contradiction.",
    ),
    "COPA": partial(
        _standard, folder="COPA/COPA", text=_choice, instruction="Choose the more likely sentence. Answer A or B."
    ),
    "BoolQA": partial(
        _standard, folder="BoolQA/BoolQA", text=_question_and_passage,
        instruction="Answer the question from the passage with True or False.",
    ),
    "FOMC": partial(_trace, folder="FOMC", row=_stance, labels=tuple(STANCES.values())),
    "ScienceQA": partial(_trace, folder="ScienceQA", row=_school_question, labels=("A", "B", "C", "D", "E")),
    "NumGLUE-cm": partial(
        _trace, folder="NumGLUE-cm", row=partial(_calculation, "Work this out. Answer with the number.")
    ),
    "NumGLUE-ds": partial(
        _trace, folder="NumGLUE-ds",
        row=partial(_calculation, "Work out this question from a science class. Answer with the number."),
    ),
    "bitext": _bitext,
    "gsm8k": _gsm8k,
}  # fmt: skip

# Sets that are learned in parts, class after class; the bare name stands for all parts in their order.
GROUPS: dict[str, Callable[[Path], dict[str, Pool]]] = {
    "clinc150": _clinc150, "banking77": _banking77, "overlap": _overlap,
}  # fmt: skip
