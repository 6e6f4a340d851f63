"""What clients may send, in OpenAI's words. What would change the answer and can't be met is refused: what is not known
to be without effect might."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MOST_TOKENS = 4096
MOST_MESSAGES = 1000


class Asked(BaseModel):
    """A JSON object of a client's. Fields beside its own are refused by name, unless they are null, `without_effect`,
    or as `neutral` says that they may be."""

    model_config = ConfigDict(allow_inf_nan=False)

    without_effect: ClassVar[frozenset[str]] = frozenset()
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_is_not_met(cls, value: Any) -> Any:
        if isinstance(value, dict):
            unmet = [str(name) for name, asked in value.items() if not cls._meets(str(name), asked)]
            if unmet:
                raise ValueError(f"{', '.join(sorted(unmet))} can't be served; leave it out")
        return value

    @classmethod
    def _meets(cls, name: str, asked: Any) -> bool:
        known = name in cls.model_fields or name in cls.without_effect
        return asked is None or known or any(_same(asked, said) for said in cls.neutral.get(name, ()))


def _same(asked: Any, said: Any) -> bool:
    """Equal, and 0 is not false: `logprobs: 0` asks for the chosen tokens' log probabilities."""
    return asked == said and isinstance(asked, bool) == isinstance(said, bool)


class TextPart(Asked):
    without_effect: ClassVar = frozenset({"cache_control"})

    type: Literal["text"]
    text: str


class Message(Asked):
    without_effect: ClassVar = frozenset({"name", "refusal", "annotations", "id"})
    neutral: ClassVar = {"tool_calls": ([],)}

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def plain(self) -> dict[str, str]:
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class StreamOptions(Asked):
    without_effect: ClassVar = frozenset({"include_obfuscation"})

    include_usage: bool = False


class GenerationRequest(Asked):
    """What both kinds of completions share."""

    without_effect: ClassVar = frozenset(
        {"metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
         "parallel_tool_calls"}
    )  # fmt: skip
    neutral: ClassVar = {
        "tools": ([],), "functions": ([],), "tool_choice": ("none", "auto"), "function_call": ("none", "auto"),
        "logit_bias": ({},), "logprobs": (False,), "frequency_penalty": (0,), "presence_penalty": (0,),
        "response_format": ({"type": "text"},), "modalities": (["text"],), "echo": (False,), "suffix": ("",),
        "best_of": (1,), "top_k": (-1,), "min_p": (0,), "repetition_penalty": (1,),
    }  # fmt: skip

    model: Annotated[str, Field(min_length=1, max_length=200)]
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int | None, Field(ge=-(2**63), lt=2**63)] = None
    stop: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=4)] = ()
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: Annotated[str | None, Field(max_length=512)] = None
    n: Annotated[int, Field(ge=1, le=1)] = 1
    max_tokens: Annotated[int | None, Field(ge=1)] = None

    @field_validator("top_p", "stream", "n", "stop", mode="before")
    @classmethod
    def _null_is_default(cls, value: Any, info: Any) -> Any:
        if value is None:
            return cls.model_fields[info.field_name].default
        return (value,) if info.field_name == "stop" and isinstance(value, str) else value

    def limit(self) -> int | None:
        """Tokens of the answer; who asks for more than there can be gets as many as there can."""
        return min(self.max_tokens, MOST_TOKENS) if self.max_tokens else None


class ChatRequest(GenerationRequest):
    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_completion_tokens: Annotated[int | None, Field(ge=1)] = None

    def first_words(self) -> str:
        """What a conversation without an id is known by: its first user message stays when it goes on."""
        plain = [message.plain() for message in self.messages]
        return next((m["content"] for m in plain if m["role"] == "user"), plain[0]["content"])

    def limit(self) -> int | None:
        return min(self.max_completion_tokens, MOST_TOKENS) if self.max_completion_tokens else super().limit()

    def question(self) -> dict[str, Any]:
        return {"messages": [message.plain() for message in self.messages]}


class PromptRequest(GenerationRequest):
    prompt: str | Annotated[list[str], Field(min_length=1, max_length=1)]

    def first_words(self) -> str:
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]

    def question(self) -> dict[str, Any]:
        return {"prompt": self.first_words()}


class FeedbackRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    record_id: Annotated[str, Field(min_length=1, max_length=64)]
    score: Annotated[float, Field(ge=0, le=1)]
    comment: Annotated[str | None, Field(max_length=2000)] = None


def field_path(place: tuple[int | str, ...]) -> str:
    """A place in a body, in OpenAI's words: `messages[0].content`. What pydantic adds of its own (which member of a
    union it tried) is left out."""
    path = ""
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part in _FIELDS:
            path += f".{part}" if path else part
    return path


_FIELDS = {name for kind in (ChatRequest, PromptRequest, FeedbackRequest, Message, TextPart, StreamOptions)
           for name in kind.model_fields}  # fmt: skip
