"""General requests as the router reads them: alone, and behind what all prompts of a task begin with.

Without the second, whatever comes under a task's instruction would look like the task, for the instruction is most of
what is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from clm.core.hashing import sha256_json
from clm.core.recent import Recent
from clm.llm.base import Base
from clm.llm.discriminant import Features
from clm.llm.general_prompts import groups
from clm.llm.points import Point
from clm.llm.prompts import chat_ids, prompt_messages
from clm.llm.runtime import Runtime
from clm.llm.tokenizer import Messages
from clm.training.examples import Example

FEWEST_PROMPTS = 4  # with fewer, what they share may be chance

# An update fits several routers on the same requests. By base, type, point and instruction: never more than a few MB.
_read: Recent[list[Features]] = Recent(8)


@dataclass(frozen=True)
class Instruction:
    before: Messages  # messages before the customer's
    text: str  # whole lines that the customer's message begins with


def instruction_of(examples: Sequence[Example]) -> Instruction | None:
    """What all prompts begin with: earlier messages (a system prompt), and whole lines of the last one."""
    asked = [prompt_messages(e.shape, e.content) for e in examples if e.shape != "text"]
    if len(asked) < max(FEWEST_PROMPTS, len(examples)) or any(not messages for messages in asked):
        return None
    before = asked[0][:-1]
    text = _shared_lines([messages[-1]["content"] for messages in asked])
    if any(messages[:-1] != before for messages in asked) or not (before or text.strip()):
        return None
    return Instruction(before, text)


def _shared_lines(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)  # the two that differ earliest
    differs = next((n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[: first[:differs].rfind("\n") + 1]


def strangers(base: Base, point: Point, instruction: Instruction | None = None) -> list[Features]:
    """Groups of `[requests, point's width]`, see `clm.llm.general_prompts.groups`; the same requests in each."""
    before, text = (instruction.before, instruction.text) if instruction else ([], None)
    key = sha256_json([base.hash, str(base.model.dtype), str(base.model.device), point.plain(), before, text])

    def read() -> list[Features]:
        limit = base.model.config.max_positions - 1
        asked = [[chat_ids(base.tokenizer, [*before, {"role": "user", "content": prompt}])[-limit:] for prompt in group]
                 for group in groups(text)]  # fmt: skip
        return [Runtime(base).features(ids, point) for ids in asked]

    return _read.get(key, read)
