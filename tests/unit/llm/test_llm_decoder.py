"""The decoder computes what `transformers` computes, for every family that CLM takes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from clm.llm.base import Base, load_base
from clm.llm.batches import common_prefix, group_by_length, pack
from clm.llm.decoder import Layout
from tiny import tiny_base

SMALL = {
    "vocab_size": 259, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512,
}  # fmt: skip
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
LINEAR_ROPE = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llama", {"tie_word_embeddings": False}),
        ("llama", {"rope_parameters": LLAMA3_ROPE, "tie_word_embeddings": True}),
        ("llama", {"rope_parameters": LINEAR_ROPE, "attention_bias": True, "mlp_bias": True}),
        ("mistral", {"sliding_window": 256, "head_dim": 16}),
        ("qwen2", {"tie_word_embeddings": True}),
        ("qwen3", {"head_dim": 16}),
    ],
)
def test_decoder_equals_transformers(tmp_path: Path, family: str, settings: dict[str, Any]) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(3)
    reference: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **{**SMALL, **settings}))
    for parameter in reference.parameters():  # biases and norms too: as made they are 0 and 1
        torch.nn.init.normal_(parameter, std=0.3)
    reference.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_base(tmp_path.with_name("tiny")) / name).read_bytes())
    base = load_base(tmp_path, threads=1)
    ids = torch.randint(3, 259, (3, 90))
    with torch.inference_mode():
        expected = reference(ids).logits
        hidden = base.model.embed(ids.flatten().to(base.model.device))
        hidden = base.model.forward(hidden, Layout(0, 3, 90), 0, base.layers)
        torch.testing.assert_close(base.model.logits(hidden).view(3, 90, -1).cpu(), expected, atol=2e-4, rtol=1e-4)


def test_the_embedded_families_config_survives_newer_and_older_spelling(tmp_path: Path) -> None:
    folder = tiny_base(tmp_path / "tiny")
    config = json.loads((folder / "config.json").read_text())
    older = load_base(folder, threads=1)
    config["rope_parameters"] = {"rope_theta": config.pop("rope_theta"), "rope_type": "default"}
    (folder / "config.json").write_text(json.dumps(config))
    assert load_base(folder, threads=1).model.config == older.model.config


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


def test_a_shared_prefix_changes_nothing(base: Base) -> None:
    sequences = [[5, 6, 7, 8, 20, 21], [5, 6, 7, 8, 30], [5, 6, 7, 8, 40, 41, 42]]
    assert common_prefix(sequences) == 4
    with torch.inference_mode():
        packed = pack(sequences, device=base.model.device)
        shared = packed.split(base.model.forward(base.model.embed(packed.ids), packed.layout, 0, base.layers))[1]
        for row, ids in enumerate(sequences):
            embedded = base.model.embed(torch.tensor(ids, device=base.model.device))
            alone = base.model.forward(embedded, Layout(0, 1, len(ids)), 0, base.layers)
            torch.testing.assert_close(shared[row, : len(ids) - 4], alone[4:], atol=1e-4, rtol=1e-4)


def test_a_prefix_leaves_every_row_a_token_and_the_one_before_its_first_label() -> None:
    assert common_prefix([[1, 2, 3], [1, 2, 3]]) == 2
    assert common_prefix([[1, 2, 3, 4], [1, 2, 3, 5]], [[-100, -100, 3, 4], [-100, -100, -100, 5]]) == 1
    assert common_prefix([[1, 2], [3, 4]]) == 0
    assert common_prefix([[1, 2]]) == 0


def test_groups_hold_every_index_once_within_the_limits() -> None:
    lengths = [5, 90, 3, 40, 41, 7, 500, 2]
    groups = group_by_length(lengths, max_rows=3, max_tokens=100)
    assert sorted(n for group in groups for n in group) == list(range(8))
    for group in groups:
        longest = max(lengths[n] for n in group)
        assert len(group) == 1 or (len(group) <= 3 and longest * len(group) <= 100)
