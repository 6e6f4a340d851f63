"""What a model folder may hold. Checked before anything reads it; needs no torch.

Weights are safetensors and nothing else: pickled files run code when they are loaded, and so did keys of `config.json`
in past versions of the usual loader (CVE-2025-32434, CVE-2026-4372). So files and architectures are allow-listed,
keys that name code or files are refused, and safetensors headers are checked byte by byte.
"""

import json
import re
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal, cast

from clm.errors import UnsafeModel

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
MAX_HEADER_BYTES = 100_000_000  # safetensors' own limit
MAX_JSON_BYTES = 200_000_000  # tokenizer.json of large vocabularies has some 30 MB
DTYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
BASE_FILES = re.compile(
    r"config\.json|generation_config\.json|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|"
    r"added_tokens\.json|vocab\.json|merges\.txt|chat_template\.(jinja|json)|"
    r"model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json"
)
EXPERT_FILES = re.compile(r"adapter_config\.json|adapter_model\.safetensors")
DOCUMENTS = re.compile(r"README(\.md)?|LICENSE(\.md|\.txt)?|NOTICE(\.md|\.txt)?|USE_POLICY\.md|\.gitattributes")
CODE_KEY = re.compile(r"auto_map|trust_remote_code|custom_pipelines|_?attn_implementation.*|.*_file")


@dataclass(frozen=True)
class RopeScaling:
    kind: Literal["linear", "llama3"]
    factor: float
    low_frequency: float = 1.0
    high_frequency: float = 4.0
    original_positions: int = 8192


@dataclass(frozen=True)
class DecoderConfig:
    """The part of `config.json` that decides what a Llama-family model computes; nothing else of it is used."""

    family: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    norm_epsilon: float
    rope_theta: float
    rope_scaling: RopeScaling | None
    tied: bool
    query_key_norm: bool
    max_positions: int


def check_model_folder(path: Path) -> DecoderConfig:
    """Raises UnsafeModel, naming the file and the reason, unless the folder is a base that CLM can load safely."""
    _check_folder(path, BASE_FILES, needs=("config.json", "tokenizer.json"))
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise UnsafeModel(f"{path.name} holds no .safetensors weights. Save the model with safetensors first.")
    tensors = {name for file in weights for name in check_safetensors(file)}
    config = read_config(path)
    for name in ("model.embed_tokens.weight", "model.norm.weight", *(() if config.tied else ("lm_head.weight",))):
        if name not in tensors:
            raise UnsafeModel(f"{path.name} is incomplete: its weights hold no {name}.")
    return config


def check_expert_folder(path: Path) -> dict[str, Any]:
    """The same check for a LoRA folder in PEFT layout; returns its parsed adapter_config.json."""
    _check_folder(path, EXPERT_FILES, needs=("adapter_config.json", "adapter_model.safetensors"))
    check_safetensors(path / "adapter_model.safetensors")
    return read_json_object(path / "adapter_config.json")


def _check_folder(path: Path, allowed: re.Pattern[str], needs: tuple[str, ...]) -> None:
    if not path.is_dir():
        raise UnsafeModel(f"{path} is not a folder with a model.")
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_symlink():
            raise UnsafeModel(f"{name} is a symbolic link. Copy the file itself into the folder.", file=name)
        if file.is_dir():
            continue
        if not file.is_file() or not (allowed.fullmatch(name) or DOCUMENTS.fullmatch(name)):
            raise UnsafeModel(
                f"{name} has no place in a model folder. Only safetensors weights, JSON configuration and tokenizer "
                "files are read; pickled weights (.bin, .pt, .pkl, .ckpt, .h5) and code can run programs. Remove it, "
                "or convert the weights to safetensors.",
                file=name,
            )
        if name.endswith(".json") and name != "tokenizer.json" and name != "vocab.json":
            _refuse_code_keys(name, read_json_object(file))
    for name in needs:
        if not (path / name).is_file():
            raise UnsafeModel(f"{path.name} has no {name}, so CLM can't load it.", file=name)


def _refuse_code_keys(file: str, value: object) -> None:
    if isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            if CODE_KEY.fullmatch(key) and inner not in (None, False):
                raise UnsafeModel(
                    f"{file} sets {key!r}, which makes loaders run or open something outside this folder. Remove the "
                    "key; CLM runs no code that comes with a model.",
                    file=file,
                    key=key,
                )
            _refuse_code_keys(file, inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            _refuse_code_keys(file, inner)


def read_json_object(file: Path) -> dict[str, Any]:
    if file.stat().st_size > MAX_JSON_BYTES:
        raise UnsafeModel(f"{file.name} is larger than {MAX_JSON_BYTES:,} bytes.", file=file.name)
    try:
        value: object = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise UnsafeModel(f"{file.name} is not valid JSON.", file=file.name) from None
    if not isinstance(value, dict):
        raise UnsafeModel(f"{file.name} must hold a JSON object.", file=file.name)
    return cast("dict[str, Any]", value)


def check_safetensors(file: Path) -> dict[str, tuple[int, ...]]:
    """Shapes by tensor name. Raises UnsafeModel unless the tensors tile the file exactly, as the format demands."""

    def refuse(reason: str) -> UnsafeModel:
        return UnsafeModel(f"{file.name} is not a sound safetensors file: {reason}. Fetch it again.", file=file.name)

    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
            raise refuse(f"its header claims {length:,} bytes")
        try:
            header: object = json.loads(stream.read(length))
        except (ValueError, RecursionError):
            raise refuse("its header is not JSON") from None
    if not isinstance(header, dict):
        raise refuse("its header is not a JSON object")
    shapes: dict[str, tuple[int, ...]] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in cast("dict[str, Any]", header).items():
        if name == "__metadata__":
            continue
        try:
            width, shape = DTYPE_BYTES[entry["dtype"]], tuple(entry["shape"])
            begin, end = entry["data_offsets"]
            if not all(type(n) is int and n >= 0 for n in (*shape, begin, end)):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise refuse(f"tensor {name!r} has an unknown type, shape or place") from None
        if end - begin != width * prod(shape):
            raise refuse(f"tensor {name!r} has another size than its shape says")
        shapes[name] = shape
        spans.append((begin, end))
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            raise refuse("its tensors overlap or leave gaps")
        position = end
    if position != size - 8 - length:
        raise refuse("its tensors reach beyond the end of the file, or data follows them")
    return shapes


def read_config(path: Path) -> DecoderConfig:
    """Raises UnsafeModel for a family or a setting whose forward pass CLM does not compute."""
    raw = read_json_object(path / "config.json")
    family = raw.get("model_type")
    if family not in FAMILIES:
        raise UnsafeModel(f"Models of type {family!r} are not supported. Known: {', '.join(FAMILIES)}.")
    if raw.get("quantization_config"):
        raise UnsafeModel("The model's weights are quantised. Use its float32, float16 or bfloat16 version.")
    if raw.get("hidden_act", "silu") != "silu":
        raise UnsafeModel(f"The activation {raw['hidden_act']!r} is not supported, only 'silu'.")
    try:
        heads = int(raw["num_attention_heads"])
        hidden = int(raw["hidden_size"])
        rope: dict[str, Any] = {**(raw.get("rope_scaling") or {}), **(raw.get("rope_parameters") or {})}
        positions = int(raw.get("max_position_embeddings") or 2048)
        window = raw.get("sliding_window") if raw.get("use_sliding_window", family == "mistral") else None
        return DecoderConfig(
            family=family,
            hidden=hidden,
            layers=int(raw["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(raw.get("num_key_value_heads") or heads),
            head_dim=int(raw.get("head_dim") or hidden // heads),
            vocabulary=int(raw["vocab_size"]),
            norm_epsilon=float(raw.get("rms_norm_eps", 1e-6)),
            rope_theta=float(rope.get("rope_theta") or raw.get("rope_theta") or 10000.0),
            rope_scaling=_rope_scaling(rope),
            tied=bool(raw.get("tie_word_embeddings", False)),
            query_key_norm=family == "qwen3",
            max_positions=min(positions, int(window)) if window else positions,  # within the window it has no effect
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UnsafeModel(f"config.json lacks or garbles a setting: {error}.") from None


def _rope_scaling(rope: dict[str, Any]) -> RopeScaling | None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default":
        return None
    if kind == "linear":
        return RopeScaling("linear", float(rope["factor"]))
    if kind == "llama3":
        return RopeScaling("llama3", float(rope["factor"]), float(rope["low_freq_factor"]),
                           float(rope["high_freq_factor"]), int(rope["original_max_position_embeddings"]))  # fmt: skip
    raise UnsafeModel(f"Position encoding {kind!r} is not supported. Known: default, linear, llama3.")
