"""What clients may send, in OpenAI's words. Wishes that would change the answer and can't be met are refused."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MOST_TOKENS = 4096
MOST_MESSAGES = 1000
UNMET = ("tools", "functions", "logit_bias", "logprobs", "echo", "suffix", "audio",
         "frequency_penalty", "presence_penalty")  # fmt: skip


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def plain(self) -> dict[str, str]:
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class StreamOptions(BaseModel):
    include_usage: bool = False


class Wish(BaseModel):
    """What both kinds of completions share. Fields that don't change an answer (metadata, store, …) are ignored."""

    model_config = ConfigDict(allow_inf_nan=False)

    model: Annotated[str, Field(min_length=1, max_length=200)]
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int | None, Field(ge=-(2**63), lt=2**63)] = None
    stop: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=4)] = ()
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: Annotated[str | None, Field(max_length=512)] = None
    n: Annotated[int, Field(ge=1, le=1)] = 1
    max_tokens: Annotated[int | None, Field(ge=1, le=MOST_TOKENS)] = None

    @field_validator("top_p", "stream", "n", "stop", mode="before")
    @classmethod
    def _null_is_default(cls, value: Any, info: Any) -> Any:
        if value is None:
            return cls.model_fields[info.field_name].default
        return (value,) if info.field_name == "stop" and isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _refuse_unmet_wishes(cls, value: Any) -> Any:
        if isinstance(value, dict):
            asked = [name for name in UNMET if value.get(name)]
            format_ = value.get("response_format")
            if format_ is not None and format_ != {"type": "text"}:
                asked.append("response_format")
            if asked:
                raise ValueError(f"{', '.join(asked)} can't be served; leave it out")
        return value


class ChatWish(Wish):
    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_completion_tokens: Annotated[int | None, Field(ge=1, le=MOST_TOKENS)] = None

    def first_words(self) -> str:
        """What a conversation without an id is known by: its first user message stays when it goes on."""
        plain = [message.plain() for message in self.messages]
        return next((m["content"] for m in plain if m["role"] == "user"), plain[0]["content"])

    def limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    def question(self) -> dict[str, Any]:
        return {"messages": [message.plain() for message in self.messages]}


class PromptWish(Wish):
    prompt: str | Annotated[list[str], Field(min_length=1, max_length=1)]

    def first_words(self) -> str:
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]

    def limit(self) -> int | None:
        return self.max_tokens

    def question(self) -> dict[str, Any]:
        return {"prompt": self.first_words()}


class FeedbackWish(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    record_id: Annotated[str, Field(min_length=1, max_length=64)]
    score: Annotated[float, Field(ge=0, le=1)]
    comment: Annotated[str | None, Field(max_length=2000)] = None
