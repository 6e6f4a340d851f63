"""What a record's content hashes to: the same for ingest, store and every check of held-out rows."""

import re
import unicodedata

from clm.core.hashing import sha256_json, sha256_text
from clm.records import Json, Shape

_CARRIES_MEANING = frozenset("#%&*@/\\")  # C# is not C, 5 % is not 5
_BLANK, _DROPPED = " ", "'’ʼ"  # don't = dont; other punctuation parts words: well-known = well known


def content_hash(shape: Shape, content: Json) -> str:
    """Names one example; equal examples are duplicates."""
    return sha256_json([shape, content])


def prompt_hash(shape: Shape, content: Json) -> str:
    """Names what the model sees before it answers, to the byte; for `text`, the text.

    `{"prompt": p, …}` and `{"messages": [{"role": "user", "content": p}, …]}` are the same prompt.
    """
    return sha256_json(_asked(shape, content))


def prompt_key(shape: Shape, content: Json) -> str:
    """Names what is asked: prompts that differ in case, blanks, punctuation or Unicode forms only have the same key."""
    asked = _asked(shape, content)
    if isinstance(asked, str):
        return sha256_json(normalised(asked))
    return sha256_json([[turn["role"], normalised(turn["content"])] for turn in asked])


def answer_key(shape: Shape, content: Json) -> str:
    """Names an answer, its blanks collapsed. Rows of `text` answer nothing, so none contradicts another."""
    return sha256_text("" if shape == "text" else " ".join(completion(shape, content).split()))


def completion(shape: Shape, content: Json) -> str:
    """What the model learns to say; for `text`, all of it."""
    if shape == "text":
        return content["text"]
    if shape == "messages":
        return content["messages"][-1]["content"]
    return content["completion" if shape == "completion" else "chosen"]


def beginning(content: Json, characters: int = 60) -> str:
    """What a row begins with, for people to know it by."""
    if "messages" in content:
        return str(content["messages"][0]["content"])[:characters]
    return str(content.get("prompt", content.get("text", "")))[:characters]


def question(shape: Shape, content: Json) -> str:
    """What people are shown as the prompt: the last turn before the answer."""
    asked = _asked(shape, content)
    return asked if isinstance(asked, str) else asked[-1]["content"]


def normalised(text: str) -> str:
    """NFKC, case folded, without punctuation, blanks collapsed. A text of nothing else keeps its punctuation.

    Marks that carry meaning stay: signs (C#, 5 %), a minus or a point before a digit (-5, 3 - 4, 1.5, 10:30), and an
    exclamation mark before anything but a blank (a != b).
    """
    folded = " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())
    if folded.isascii() and not _ASCII_MARK.search(folded):
        return folded
    kept = "".join(_kept(folded, at) for at in range(len(folded)))
    return " ".join(kept.split()) or folded


_ASCII_MARK = re.compile(r"[^\w\s+<=>^`|~$]|_")


def _kept(text: str, at: int) -> str:
    mark = text[at]
    if not unicodedata.category(mark).startswith("P") or mark in _CARRIES_MEANING:
        return mark
    after = text[at + 1 : at + 3]
    if mark in _DROPPED:
        return ""
    if mark == "-" and after.lstrip()[:1].isdigit():
        return mark
    if mark in "()" and text[at - 1 : at] in (":", ";", "-"):  # :) is not :(
        return mark
    if mark in ".,:" and after[:1].isdigit() and text[at - 1 : at].isdigit():
        return mark
    if mark == "!" and after[:1].strip():
        return mark
    return _BLANK


def _asked(shape: Shape, content: Json) -> str | list[Json]:
    if shape == "text":
        return content["text"]
    if shape == "messages":
        return content["messages"][:-1]
    return [{"role": "user", "content": content["prompt"]}]
