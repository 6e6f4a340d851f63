"""Tokenizer and chat template of a base, read from its folder without `transformers` (seconds to import)."""

from pathlib import Path
from typing import Any, cast

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from clm.errors import InvalidInput
from clm.llm.model_files import read_json_object

Messages = list[dict[str, str]]
# For bases that were never taught to chat and bring no template.
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize + ': ' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"
)


class ChatTokenizer:
    """Text <-> token ids, and messages -> text by the model's own template."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        config = _optional(folder / "tokenizer_config.json")
        generation = {**_optional(folder / "config.json"), **_optional(folder / "generation_config.json")}
        self.special = {
            name: _content(config.get(name)) for name in ("bos_token", "eos_token", "pad_token", "unk_token")
        }
        self.end_ids = self._end_ids(generation.get("eos_token_id"))
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        # Templates call it for roles they don't know. No clock is offered: the same messages are the same prompt.
        cast("dict[str, Any]", environment.globals)["raise_exception"] = _raise
        self._template = environment.from_string(_template(folder, config))

    def encode(self, text: str) -> list[int]:
        """Without the tokens that some tokenizers add at the start: templates write those themselves."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True)

    def render(self, messages: Messages, *, answer_next: bool) -> str:
        """The conversation as the model reads it; `answer_next` ends it where the assistant begins to speak."""
        try:
            return self._template.render(
                messages=messages, add_generation_prompt=answer_next, tools=None, documents=None, **self.special
            )
        except InvalidInput:
            raise
        except Exception as error:
            raise InvalidInput(f"The model's chat template can't render these messages: {error}.") from error

    def _end_ids(self, configured: object) -> frozenset[int]:
        ids = {configured} if isinstance(configured, int) else set(cast("list[int]", configured or []))
        named = self._tokenizer.token_to_id(self.special["eos_token"]) if self.special["eos_token"] else None
        return frozenset(ids | ({named} if named is not None else set()))


def _template(folder: Path, config: dict[str, Any]) -> str:
    file = folder / "chat_template.jinja"
    if file.exists():
        return file.read_text(encoding="utf-8")
    template = config.get("chat_template") or _optional(folder / "chat_template.json").get("chat_template")
    if isinstance(template, list):  # named templates
        named = {entry["name"]: entry["template"] for entry in cast("list[dict[str, str]]", template)}
        template = named.get("default")
    return str(template or PLAIN_TEMPLATE)


def _optional(file: Path) -> dict[str, Any]:
    return read_json_object(file) if file.exists() else {}


def _content(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token or "")


def _raise(message: str) -> None:
    raise InvalidInput(f"The model's chat template refuses these messages: {message}.")
