"""Multiple choice: which of the given answers is the likeliest, as a whole, to follow the prompt?

That is how the LM Evaluation Harness scores such tasks (its `acc`), here on the chat form of the prompt.
"""

from collections.abc import Sequence
from dataclasses import replace

from clm.core.content import content_hash
from clm.errors import InvalidInput
from clm.formats.suites import SuiteExample
from clm.llm.prompts import IGNORED, completion_text, example_ids
from clm.llm.tokenizer import ChatTokenizer


def variants(example: SuiteExample) -> list[SuiteExample]:
    """The example once with each of its choices as the answer. Raises InvalidInput where it offers none."""
    choices = example.content.get("choices")
    if not choices:
        raise InvalidInput(
            f"Task {example.task!r} is scored by choice, and its held-out example {example.example_id} offers none. "
            'Give every row "choices", a list with the right completion among others, or another metric to the task.'
        )
    contents = [{"prompt": example.content["prompt"], "completion": choice} for choice in choices]
    return [replace(example, content=content, content_hash=content_hash("completion", content)) for content in contents]


def likeliest(tokenizer: ChatTokenizer, choices: Sequence[SuiteExample], means: Sequence[float]) -> str:
    """The choice with the largest sum of log-likelihoods, the first of equals. `means` are per token."""
    sums = [mean * _tokens(tokenizer, choice) for mean, choice in zip(means, choices, strict=True)]
    best = choices[max(range(len(sums)), key=sums.__getitem__)]
    return completion_text(best.shape, best.content)


def _tokens(tokenizer: ChatTokenizer, example: SuiteExample) -> int:
    _, labels = example_ids(tokenizer, example.shape, example.content)
    return sum(label != IGNORED for label in labels[1:])
