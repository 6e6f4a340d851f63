"""From the rows of a mixture to token ids and labels, with clear words for what can't be trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

from clm.errors import InvalidInput
from clm.llm.prompts import IGNORED, example_ids
from clm.llm.tokenizer import ChatTokenizer
from clm.records import Json, Shape


@dataclass(frozen=True)
class Example:
    record_id: str
    shape: Shape
    content: Json


@dataclass(frozen=True)
class Tokens:
    """`labels[i]` is `ids[i]` where it is learned, else IGNORED; both `[seq]`."""

    ids: list[int]
    labels: list[int]


def tokenise(tokenizer: ChatTokenizer, examples: Sequence[Example], max_tokens: int) -> list[Tokens]:
    """A longer example loses the beginning of its prompt (or text); an answer is never cut.

    Raises InvalidInput for fewer than two examples, an empty answer, or one that `max_tokens` has no room for. Updates
    leave such rows out before they come here, see clm.llm.fitness.
    """
    if len(examples) < 2:
        count = "no example" if not examples else "one example"
        raise InvalidInput(f"The mixture holds {count}; an update needs at least two. Ingest more rows of this task.")
    return [_cut(example, *example_ids(tokenizer, example.shape, example.content), max_tokens) for example in examples]


def count_labels(data: Sequence[Tokens]) -> list[int]:
    """How many tokens are learned in each row. Its first one never is: nothing stands before it."""
    return [sum(label != IGNORED for label in tokens.labels[1:]) for tokens in data]


def _cut(example: Example, ids: list[int], labels: list[int], max_tokens: int) -> Tokens:
    learned = sum(label != IGNORED for label in labels[1:])
    if not learned:
        raise InvalidInput(f"Record {example.record_id} has no token to learn: its answer is empty.")
    if example.shape != "text" and learned >= max_tokens:
        raise InvalidInput(
            f"The answer of record {example.record_id} has {learned} tokens, more than max_tokens = {max_tokens} "
            "leaves room for. Raise training.max_tokens in the policy, or shorten the answer."
        )
    return Tokens(ids[-max_tokens:], labels[-max_tokens:])
