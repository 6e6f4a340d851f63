"""Model folders that could run code, or that are broken, are refused before anything reads them."""

import json
import os
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from clm.errors import ClmError, NotFound, TamperedArtifact, Unavailable, UnsafeModel
from clm.llm.base import import_base, load_base
from clm.llm.import_base import main as import_command
from clm.llm.model_files import check_expert_folder, check_model_folder, check_safetensors
from tiny import tiny_base


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_base(tmp_path / "model")


def _set(folder: Path, file: str, **values: Any) -> None:
    (folder / file).write_text(json.dumps({**json.loads((folder / file).read_text()), **values}))


def _header(file: Path, header: dict[str, Any] | bytes, data: bytes = b"", length: int | None = None) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def _link(folder: Path) -> None:
    (folder / "merges.txt").symlink_to("/etc/hostname")


def _add(name: str, folder: Path) -> None:
    (folder / name).write_bytes(b"\x80\x04.")


FORBIDDEN = ("pytorch_model.bin", "model.pt", "x.pkl", "last.ckpt", "tf_model.h5", "model.onnx", "modeling_x.py")
SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    **{name: (partial(_add, name), name) for name in FORBIDDEN},
    "a file in a subfolder": (lambda f: ((f / "sub").mkdir(), (f / "sub" / "x.bin").write_bytes(b"")), "sub/x.bin"),
    "symbolic link": (_link, "symbolic link"),
    "auto_map": (lambda f: _set(f, "config.json", auto_map={"AutoModel": "evil.Model"}), "auto_map"),
    "auto_map in the tokenizer": (lambda f: _set(f, "tokenizer_config.json", auto_map={"A": ["x.T"]}), "auto_map"),
    "nested auto_map": (lambda f: _set(f, "config.json", text_config={"deep": [{"auto_map": {"a": "b"}}]}), "auto_map"),
    "trust_remote_code": (lambda f: _set(f, "config.json", trust_remote_code=True), "trust_remote_code"),
    "attention": (lambda f: _set(f, "config.json", _attn_implementation_internal="me/kernel"), "_attn_implementation"),
    "file key": (lambda f: _set(f, "tokenizer_config.json", vocab_file="/etc/passwd"), "vocab_file"),
    "unknown family": (lambda f: _set(f, "config.json", model_type="evil"), "llama"),
    "quantised": (lambda f: _set(f, "config.json", quantization_config={"bits": 4}), "quantised"),
    "other activation": (lambda f: _set(f, "config.json", hidden_act="gelu"), "gelu"),
    "other positions": (lambda f: _set(f, "config.json", rope_scaling={"rope_type": "yarn"}), "yarn"),
    "garbled config": (lambda f: _set(f, "config.json", hidden_size="many"), "config.json"),
    "no JSON": (lambda f: (f / "config.json").write_text("{"), "not valid JSON"),
    "a JSON list": (lambda f: (f / "config.json").write_text("[]"), "JSON object"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no .safetensors"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json"),
    "weights of another model": (lambda f: save_file({"x": np.ones(2)}, f / "model.safetensors"), "incomplete"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_spoiled_folders_are_refused_with_the_reason(folder: Path, tmp_path: Path, case: str) -> None:
    check_model_folder(folder)
    spoil, named = SPOILED[case]
    spoil(folder)
    with pytest.raises(UnsafeModel, match=named.replace(".", r"\.")):
        check_model_folder(folder)
    with pytest.raises(UnsafeModel):
        import_base(str(folder), tmp_path / "bases")
    assert not any((tmp_path / "bases").iterdir())  # nothing is left of the attempt


F32 = {"dtype": "F32", "shape": [2]}
BROKEN_HEADERS: dict[str, Callable[[Path], None]] = {
    "empty": lambda f: f.touch(),
    "oversized": lambda f: _header(f, {}, length=2**62),
    "longer than the file": lambda f: _header(f, {}, length=1000),
    "no JSON": lambda f: _header(f, b"{{{{"),
    "a list": lambda f: _header(f, b"[]"),
    "deep": lambda f: _header(f, b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "unknown type": lambda f: _header(f, {"a": {"dtype": "EVIL", "shape": [1], "data_offsets": [0, 4]}}, b"1234"),
    "shape lies": lambda f: _header(f, {"a": {**F32, "data_offsets": [0, 4]}}, b"1234"),
    "negative": lambda f: _header(f, {"a": {**F32, "data_offsets": [-8, 0]}}, b""),
    "out of range": lambda f: _header(f, {"a": {**F32, "data_offsets": [0, 8]}}, b"1234"),
    "overlapping": lambda f: _header(f, {k: {**F32, "data_offsets": [0, 8]} for k in "ab"}, b"12345678"),
    "gap": lambda f: _header(f, {"a": {**F32, "data_offsets": [4, 12]}}, b"1234" * 3),
    "data after the end": lambda f: _header(f, {"a": {**F32, "data_offsets": [0, 8]}}, b"1234" * 9),
    "true as a number": lambda f: _header(f, {"a": {**F32, "shape": [True], "data_offsets": [0, 4]}}, b"1234"),
}


@pytest.mark.parametrize("case", BROKEN_HEADERS)
def test_broken_safetensors_are_refused(tmp_path: Path, case: str) -> None:
    file = tmp_path / "model.safetensors"
    BROKEN_HEADERS[case](file)
    with pytest.raises(UnsafeModel, match=r"model\.safetensors"):
        check_safetensors(file)


def test_sound_safetensors_give_their_shapes(tmp_path: Path) -> None:
    save_file({"a": np.ones((2, 3), np.float32), "b": np.zeros(0, np.int64)}, tmp_path / "x.safetensors")
    assert check_safetensors(tmp_path / "x.safetensors") == {"a": (2, 3), "b": (0,)}


@pytest.mark.parametrize("position", [0.0, 0.5, 0.999])
def test_a_torn_file_is_refused(folder: Path, position: float) -> None:
    file = folder / "model.safetensors"
    os.truncate(file, int(file.stat().st_size * position))
    with pytest.raises(UnsafeModel):
        check_model_folder(folder)


def test_expert_folders_are_held_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "auto_map": {"a": "b"}}))
    save_file({"a": np.ones(1)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(UnsafeModel, match="auto_map"):
        check_expert_folder(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    check_expert_folder(tmp_path)
    (tmp_path / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(UnsafeModel, match=r"adapter_model\.bin"):
        check_expert_folder(tmp_path)


def test_a_base_lies_under_its_content_and_documents_stay_out(folder: Path, tmp_path: Path) -> None:
    first = import_base(str(folder), tmp_path / "bases")
    (folder / "README.md").write_text("hello")
    assert import_base(str(folder), tmp_path / "bases") == first
    assert sorted(p.name for p in (tmp_path / "bases").iterdir()) == [first.base_hash]
    assert not (Path(first.path) / "README.md").exists()
    assert load_base(Path(first.path), threads=1).hash == first.base_hash
    other = import_base(str(tiny_base(tmp_path / "other", seed=1)), tmp_path / "bases")
    assert other.base_hash != first.base_hash


def test_a_changed_base_is_not_loaded(folder: Path, tmp_path: Path) -> None:
    imported = Path(import_base(str(folder), tmp_path / "bases").path)
    weights = bytearray((imported / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (imported / "model.safetensors").write_bytes(weights)
    with pytest.raises(TamperedArtifact, match="changed on disk"):
        load_base(imported, threads=1)


@pytest.mark.parametrize(
    ("reference", "kind", "says"),
    [("no-such-base", NotFound, "smollm2-135m-instruct"), ("nobody/nothing", Unavailable, "hub")],
)
def test_unknown_bases_say_what_is_known(tmp_path: Path, reference: str, kind: type[ClmError], says: str) -> None:
    with pytest.raises(kind, match=says):
        import_base(reference, tmp_path / "bases")


def test_the_command_answers_one_json_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_command([str(folder), str(tmp_path / "bases")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert Path(answer["path"]).name == answer["base_hash"] and answer["reference"] == str(folder)
    assert import_command(["no-such-base", str(tmp_path / "bases")]) == 1
    assert json.loads(capsys.readouterr().out)["title"] == "Not found"
    assert import_command([]) == 1
