"""From a record's content to token ids: the one place where trainer, evaluator and engine build prompts.

A task's name never enters a prompt: which task a prompt belongs to is the router's to find out.
"""

from typing import cast

from clm.errors import InvalidInput
from clm.llm.tokenizer import ChatTokenizer, Messages
from clm.records import Json, Shape

IGNORED = -100  # label of a token that is not learned


def prompt_messages(shape: Shape, content: Json) -> Messages:
    """What the model is asked: messages before the last answer; none for plain text."""
    if shape == "text":
        return []
    if shape == "messages":
        return _messages(content)[: _last_answer(content)]
    return [{"role": "user", "content": str(content["prompt"])}]


def request_text(shape: Shape, content: Json) -> str:
    """What is asked, for someone who reads it without a chat template."""
    messages = prompt_messages(shape, content)
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)


def completion_text(shape: Shape, content: Json) -> str:
    """What the model should answer (of a preference: the chosen answer); for plain text, the text."""
    if shape == "text":
        return str(content["text"])
    if shape == "messages":
        return _messages(content)[_last_answer(content)]["content"]
    return str(content["chosen" if shape == "preference" else "completion"])


def chat_ids(tokenizer: ChatTokenizer, messages: Messages) -> list[int]:
    """Token ids of a conversation that the assistant answers next."""
    return tokenizer.encode(tokenizer.render(messages, answer_next=True))


def prompt_ids(tokenizer: ChatTokenizer, shape: Shape, content: Json) -> list[int]:
    """Token ids up to where the answer begins; empty for plain text."""
    return [] if shape == "text" else chat_ids(tokenizer, prompt_messages(shape, content))


def routing_ids(tokenizer: ChatTokenizer, shape: Shape, content: Json) -> list[int]:
    """What the router reads: the prompt, or the text itself where there is no prompt."""
    return tokenizer.encode_text(str(content["text"])) if shape == "text" else prompt_ids(tokenizer, shape, content)


def example_ids(tokenizer: ChatTokenizer, shape: Shape, content: Json) -> tuple[list[int], list[int]]:
    """Token ids and labels of a training example: labels stand on the completion and the token that ends it.

    `labels[i]` is `ids[i]` or IGNORED; position `i` is predicted from the tokens before it.
    """
    if shape == "text":
        ids = tokenizer.encode_text(str(content["text"]))
        return ids, [IGNORED, *ids[1:]] if ids else []
    prompt, rest = _prompt_and_rest(tokenizer, shape, content)
    before, after = tokenizer.encode(prompt), _up_to_end(tokenizer, tokenizer.encode(rest))
    return before + after, [IGNORED] * len(before) + after


def learned_tokens(tokenizer: ChatTokenizer, shape: Shape, content: Json) -> int:
    """How many tokens of the example are learned, for less than `example_ids` costs: prompts are not tokenized."""
    if shape == "text":
        return max(0, len(tokenizer.encode_text(str(content["text"]))) - 1)
    prompt, rest = _prompt_and_rest(tokenizer, shape, content)
    after = _up_to_end(tokenizer, tokenizer.encode(rest))
    return len(after) if prompt else max(0, len(after) - 1)  # a row's first token is never learned


def _prompt_and_rest(tokenizer: ChatTokenizer, shape: Shape, content: Json) -> tuple[str, str]:
    """Tokenized apart, so that the prompt's ids are the same as when the model is asked."""
    messages = prompt_messages(shape, content)
    answer = {"role": "assistant", "content": completion_text(shape, content)}
    prompt = tokenizer.render(messages, answer_next=True)
    whole = tokenizer.render([*messages, answer], answer_next=False)
    if whole.startswith(prompt):
        return prompt, whole[len(prompt) :]
    return prompt, tokenizer.guard(answer["content"]) + tokenizer.special["eos_token"]


def _up_to_end(tokenizer: ChatTokenizer, ids: list[int]) -> list[int]:
    """Cuts what a template writes after the end-of-answer token: the model stops there."""
    ends = [n for n, token in enumerate(ids) if token in tokenizer.end_ids]
    return ids[: ends[-1] + 1] if ends else ids


def _messages(content: Json) -> Messages:
    return cast("Messages", content["messages"])


def _last_answer(content: Json) -> int:
    for index in reversed(range(len(_messages(content)))):
        if _messages(content)[index]["role"] == "assistant":
            return index
    raise InvalidInput("The messages hold no answer by 'assistant', so there is nothing to learn or to compare.")
