"""Tokenizer and chat template of a base, read from its folder without `transformers` (seconds to import).

Control tokens are the template's to write. What people write is text, even where it spells `<|im_end|>`: it is guarded
before the template sees it, and encoded letter by letter.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from clm.errors import InvalidInput
from clm.llm.model_files import read_json_object

Messages = list[dict[str, str]]
GUARD = "\ufdd0"  # a noncharacter, set behind the first letter of a control token's name in people's text
# For bases that were never taught to chat and bring no template.
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize + ': ' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"
)


class Generation(Extension):
    """`{% generation %}` marks what the assistant says, for those who train on it; here it is text like any other."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTokenizer:
    """Text <-> token ids, and messages -> text by the model's own template."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "tokenizer.json"
        self._tokenizer = _read(self._file)
        self._control, self._guarded = _patterns(self._tokenizer)
        config = _optional(folder / "tokenizer_config.json")
        generation = {**_optional(folder / "config.json"), **_optional(folder / "generation_config.json")}
        self.special = {
            name: _content(config.get(name)) for name in ("bos_token", "eos_token", "pad_token", "unk_token")
        }
        self.end_ids = self._end_ids(generation.get("eos_token_id"))
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
        )
        # Templates call it for roles they don't know. No clock is offered: the same messages are the same prompt.
        cast("dict[str, Any]", environment.globals)["raise_exception"] = _raise
        try:
            self._template = environment.from_string(_template(folder, config))
        except TemplateError as error:
            raise InvalidInput(f"The model's chat template can't be read: {error}.") from error

    def encode(self, text: str) -> list[int]:
        """Of what `render` gave. Without the tokens that some tokenizers add at the start: templates write those."""
        ids: list[int] = []
        for n, part in enumerate(self._guarded.split(text)):  # every other part is guarded
            tokenizer, part = (self._literal, part.replace(GUARD, "")) if n % 2 else (self._tokenizer, part)
            ids += tokenizer.encode(part, add_special_tokens=False).ids
        return ids

    def encode_text(self, text: str) -> list[int]:
        """Of what people wrote: no control token comes of it."""
        return self.encode(self.guard(text))

    def decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True)

    def render(self, messages: Messages, *, answer_next: bool) -> str:
        """The conversation as the model reads it, for `encode`; `answer_next` ends it where the assistant begins."""
        guarded = [{**message, "content": self.guard(message["content"])} for message in messages]
        try:
            return self._template.render(
                messages=guarded, add_generation_prompt=answer_next, tools=None, documents=None, **self.special
            )
        except InvalidInput:
            raise
        except Exception as error:
            raise InvalidInput(f"The model's chat template can't render these messages: {error}.") from error

    def guard(self, text: str) -> str:
        """For what goes to `encode` beside a template's own text."""
        return self._control.sub(lambda spelt: spelt[0][0] + GUARD + spelt[0][1:], text)

    @cached_property
    def _literal(self) -> Tokenizer:
        """Knows no control tokens; read when the first text spells one."""
        tokenizer = _read(self._file)
        tokenizer.encode_special_tokens = True
        return tokenizer

    def _end_ids(self, configured: object) -> frozenset[int]:
        ids = {configured} if isinstance(configured, int) else set(cast("list[int]", configured or []))
        named = self._tokenizer.token_to_id(self.special["eos_token"]) if self.special["eos_token"] else None
        return frozenset(ids | ({named} if named is not None else set()))


def _read(file: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing more precise
        raise InvalidInput(f"{file.name} can't be read as a tokenizer: {error}.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _patterns(tokenizer: Tokenizer) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Of control tokens' names, and of the same guarded, each in a group of its own."""
    added = tokenizer.get_added_tokens_decoder().values()
    names = sorted((token.content for token in added if token.special and token.content), key=len, reverse=True)
    if not names:
        return re.compile(r"(?!)"), re.compile(r"((?!))")
    guarded = (re.escape(name[0] + GUARD + name[1:]) for name in names)
    return re.compile("|".join(map(re.escape, names))), re.compile(f"({'|'.join(guarded)})")


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
