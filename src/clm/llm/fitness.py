"""Can a row be trained on, or examined? Asked of the base's tokenizer, template and limits alone: needs no torch.

The same answer on arrival and when an update chooses its rows, so that no row that passed stops a training later.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clm.core.answers import json_value, last_number
from clm.core.hashing import sha256_text
from clm.errors import InvalidInput
from clm.records import Json, Shape

if TYPE_CHECKING:
    from clm.llm.tokenizer import ChatTokenizer

_REMEMBERED = 50_000  # held-out examples that were fit are not read again at every update
_ANSWERS: dict[Shape, str] = {"completion": "completion", "preference": "chosen", "text": "text"}


_fit: dict[tuple[Any, Shape, str, str], None] = {}  # by tokenizer (opened once, see _opened), metric and content


@dataclass(frozen=True)
class Unfit:
    """Which field of a row is in the way, and a reason that says what would be right."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field} {self.reason}"


@dataclass(frozen=True)
class Fitness:
    """What one base can read (`positions` tokens), and what a policy lets a training example have (`max_tokens`)."""

    tokenizer: "ChatTokenizer"
    positions: int
    max_tokens: int

    def training(self, shape: Shape, content: Json) -> Unfit | None:
        """What keeps the row out of a training; None: nothing. A long prompt does not, for it is cut on the left."""
        learned = self._learned(shape, content)
        if isinstance(learned, Unfit):
            return learned
        most = min(self.max_tokens, self.positions - 1) - 1  # one token of the prompt has to stay before the answer
        if shape == "text" or learned <= most:
            return None
        limit, of = self.max_tokens, "training.max_tokens of the model's policy"
        if limit >= self.positions:
            limit, of = self.positions, "the base's context"
        return Unfit(
            _answer_field(shape, content),
            f"has {learned} tokens, its end included; an answer has at most {most} ({of} is {limit}). "
            + ("Shorten it, or raise that." if of.startswith("training") else "Shorten it."),
        )

    def exam(self, shape: Shape, content: Json, metric: str) -> Unfit | None:
        """What keeps the row out of a suite; None: nothing. Prompt and answer are read whole, by likelihood."""
        from clm.llm.prompts import completion_text, example_ids

        reference = completion_text(shape, content)
        if metric == "number" and last_number(reference) is None:
            return Unfit(_answer_field(shape, content), "holds no number, and this task is scored by its number")
        if metric == "json_fields" and json_value(reference) is None:
            return Unfit(_answer_field(shape, content), "is no JSON, and this task is scored by its fields")
        if metric == "choice" and not content.get("choices"):
            return Unfit("choices", "are missing: this task is scored by choice, so each held-out row offers some")
        for variant in _variants(content) if metric == "choice" else [content]:
            learned = self._learned(shape, variant)
            if isinstance(learned, Unfit):
                return learned
            tokens = len(example_ids(self.tokenizer, shape, variant)[0])
            if tokens >= self.positions:
                return Unfit(
                    _answer_field(shape, content) if learned > tokens // 2 else _prompt_field(shape),
                    f"makes the example {tokens} tokens long, prompt and answer together; one that is asked has at "
                    f"most {self.positions - 1} (the base's context is {self.positions}). Shorten it.",
                )
        return None

    def exam_of(self, shape: Shape, content: str, metric: str) -> Unfit | None:
        """As `exam`, of content as JSON text; what was fit before still is."""
        known = (self.tokenizer, shape, metric, sha256_text(content))
        if known in _fit:
            return None
        unfit = self.exam(shape, json.loads(content), metric)
        if unfit is None:
            _fit[known] = None
            while len(_fit) > _REMEMBERED:
                _fit.pop(next(iter(_fit)), None)
        return unfit

    def _learned(self, shape: Shape, content: Json) -> int | Unfit:
        from clm.llm.prompts import learned_tokens

        try:
            learned = learned_tokens(self.tokenizer, shape, content)
        except InvalidInput as refused:
            return Unfit(_prompt_field(shape), f"can't be put to this base: {refused.sentence}")
        said = "has fewer than two tokens" if shape == "text" else "is empty to this base's tokenizer"
        return learned or Unfit(_answer_field(shape, content), f"{said}: there is nothing to learn")


def fitness_of(base: Path, max_tokens: int) -> Fitness | str:
    """The check for a base's folder and a policy's longest example; a sentence where this process can't make it."""
    if find_spec("tokenizers") is None or find_spec("jinja2") is None:
        return "Rows were not checked against tokenizer and template: the packages of the extra `train` are not here."
    if not (base / "tokenizer.json").is_file():
        return (
            f"Rows were not checked against tokenizer and template: the base {base.name[:12]} is not on this machine."
        )
    tokenizer, positions = _opened(base)
    return Fitness(tokenizer, positions, max_tokens)


@lru_cache(maxsize=4)
def _opened(base: Path) -> "tuple[ChatTokenizer, int]":
    """Folders of bases are named by their content and never edited, so what was read stays true."""
    from clm.llm.model_files import read_config
    from clm.llm.tokenizer import ChatTokenizer

    return ChatTokenizer(base), read_config(base).max_positions


def _variants(content: Json) -> list[Json]:
    return [{"prompt": content["prompt"], "completion": choice} for choice in content["choices"]]


def _prompt_field(shape: Shape) -> str:
    return {"messages": "messages", "text": "text"}.get(shape, "prompt")


def _answer_field(shape: Shape, content: Json) -> str:
    if shape == "messages":
        return f"messages[{len(content['messages']) - 1}].content"
    return _ANSWERS[shape]
