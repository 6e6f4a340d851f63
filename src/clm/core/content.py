"""What a record's content hashes to: the same for ingest, store and every check of held-out rows."""

from clm.core.hashing import sha256_json
from clm.records import Json, Shape


def content_hash(shape: Shape, content: Json) -> str:
    """Names one example; equal examples are duplicates."""
    return sha256_json([shape, content])


def prompt_hash(shape: Shape, content: Json) -> str:
    """Names what the model sees before it answers; for `text`, the text.

    `{"prompt": p, …}` and `{"messages": [{"role": "user", "content": p}, …]}` are the same prompt.
    """
    if shape == "text":
        return sha256_json(content["text"])
    if shape == "messages":
        return sha256_json(content["messages"][:-1])
    return sha256_json([{"role": "user", "content": content["prompt"]}])


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
