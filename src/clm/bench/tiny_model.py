"""A tiny random Llama with tokenizer and chat template, made in well under a second and always the same.

`tiny_base(folder)` writes a Hugging Face folder (float32 safetensors) that everything in CLM takes as a base.
It knows nothing: trained on a handful of examples it shows the machinery, not quality.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

HIDDEN, LAYERS, HEADS, KEY_VALUE_HEADS, INTERMEDIATE = 64, 4, 4, 2, 128
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' "
    "+ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def tiny_base(folder: Path, seed: int = 0) -> Path:
    """Writes the model into `folder` (made if needed) and returns it. Another seed gives other weights."""
    folder.mkdir(parents=True, exist_ok=True)
    bytes_as_tokens = {token: n for n, token in enumerate([*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocab=bytes_as_tokens, merges=[]))  # every byte is a token
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.save(str(folder / "tokenizer.json"))

    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": len(bytes_as_tokens),
        "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": KEY_VALUE_HEADS, "head_dim": HIDDEN // HEADS,
        "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 2048,
        "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "dtype": "float32",
    }  # fmt: skip
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": SPECIAL[1], "eos_token": SPECIAL[2],
        "pad_token": SPECIAL[0], "unk_token": SPECIAL[0], "model_max_length": 2048,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "generation_config.json").write_text(
        json.dumps({"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0})
    )
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config, indent=2))
    save_file(_weights(len(bytes_as_tokens), seed), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _weights(vocabulary: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, scale: float) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    weights = {
        "model.embed_tokens.weight": matrix(vocabulary, HIDDEN, 0.3),
        "model.norm.weight": np.ones(HIDDEN, np.float32),
    }
    narrow = HIDDEN // HEADS * KEY_VALUE_HEADS
    for layer in range(LAYERS):
        for name, rows, columns in (
            ("self_attn.q_proj", HIDDEN, HIDDEN), ("self_attn.k_proj", narrow, HIDDEN),
            ("self_attn.v_proj", narrow, HIDDEN), ("self_attn.o_proj", HIDDEN, HIDDEN),
            ("mlp.gate_proj", INTERMEDIATE, HIDDEN), ("mlp.up_proj", INTERMEDIATE, HIDDEN),
            ("mlp.down_proj", HIDDEN, INTERMEDIATE),
        ):  # fmt: skip
            weights[f"model.layers.{layer}.{name}.weight"] = matrix(rows, columns, columns**-0.5)
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"model.layers.{layer}.{name}.weight"] = np.ones(HIDDEN, np.float32)
    return weights
