"""LoRA experts on disk: folders in PEFT's layout, named by the hash of their content.

PEFT loads what is written here, and what PEFT wrote is read here (tests do both), as long as it is plain LoRA on the
linear layers. Nothing of the configuration is handed to a loader: it is parsed and checked.
"""

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from clm.core.files import adopt_folder, sync_tree
from clm.core.hashing import sha256_folder
from clm.errors import TamperedArtifact, TrainingFailed, UnsafeModel
from clm.llm.base import Base
from clm.llm.decoder import LINEARS, Expert
from clm.llm.model_files import check_expert_folder

TENSOR_NAME = re.compile(
    r"base_model\.model\.model\.layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)\.lora_(A|B)(?:\.default)?\.weight"
)
PLAIN = {
    "peft_type": ("LORA",), "bias": ("none", None), "use_dora": (False, None), "fan_in_fan_out": (False, None),
    "modules_to_save": (None, []), "rank_pattern": ({}, None), "alpha_pattern": ({}, None), "lora_bias": (False, None),
}  # fmt: skip


def new_expert(base: Base, first_layer: int, rank: int, alpha: float, seed: int) -> Expert:
    """A fresh expert on all linear layers from `first_layer` up: A uniform as in PEFT, B zero: no change yet."""
    generator = torch.Generator().manual_seed(seed)
    weights: dict[tuple[int, str], tuple[Tensor, Tensor]] = {}
    for layer in range(first_layer, base.layers):
        for name in LINEARS:
            out, inner = linear_shape(base, layer, name)
            bound = inner**-0.5  # kaiming_uniform_ with a = sqrt(5)
            weights[layer, name] = (
                torch.empty(rank, inner, device="cpu").uniform_(-bound, bound, generator=generator),
                torch.zeros(out, rank, device="cpu"),
            )
    return Expert(weights, rank, alpha).to(base.model.device, torch.float32)  # drawn alike for every device


def linear_shape(base: Base, layer: int, name: str) -> tuple[int, int]:
    """(out, in) of a linear layer of the base."""
    out, inner = base.model.weights[f"model.layers.{layer}.{LINEARS[name]}.{name}.weight"].shape
    return out, inner


def save_expert(expert: Expert, base_hash: str, experts: Path) -> tuple[str, Path]:
    """Writes `experts/<hash>` and returns both. Raises TrainingFailed where a weight is not finite."""
    tensors: dict[str, Tensor] = {}
    for (layer, name), pair in expert.weights.items():
        for letter, tensor in zip("AB", pair, strict=True):
            if not torch.isfinite(tensor).all():
                raise TrainingFailed(f"The expert's weights in layer {layer} ({name}) are not finite; it is not kept.")
            key = f"base_model.model.model.layers.{layer}.{LINEARS[name]}.{name}.lora_{letter}.weight"
            tensors[key] = tensor.detach().float().cpu().contiguous()
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base_hash, "inference_mode": True,
        "r": expert.rank, "lora_alpha": expert.alpha, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": False,
        "target_modules": sorted({name for _, name in expert.weights}), "layers_to_transform": expert.layers,
        "layers_pattern": "layers", "modules_to_save": None, "use_rslora": False, "use_dora": False,
    }  # fmt: skip
    experts.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=experts, prefix=".expert-"))
    try:
        (temporary / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True))
        save_file(dict(sorted(tensors.items())), temporary / "adapter_model.safetensors", {"format": "pt"})
        expert_hash = sha256_folder(temporary)
        temporary.chmod(0o755)
        return expert_hash, adopt_folder(sync_tree(temporary), experts / expert_hash)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_expert(path: Path, base: Base, expert_hash: str | None = None) -> Expert:
    """Reads a LoRA folder, ours or PEFT's, for this base: float32, on the base's device.

    Raises UnsafeModel for what CLM does not load, TamperedArtifact where the files don't match `expert_hash`.
    """
    config = check_expert_folder(path)
    if expert_hash is not None and sha256_folder(path) != expert_hash:
        raise TamperedArtifact(f"Expert {expert_hash[:12]} does not match its files and is not loaded.")
    for key, allowed in PLAIN.items():
        if key in config and config[key] not in allowed:
            raise UnsafeModel(f"The adapter sets {key} = {config[key]!r}; CLM loads plain LoRA only.", key=key)
    trained_on = str(config.get("base_model_name_or_path") or "")
    if re.fullmatch(r"[0-9a-f]{64}", trained_on) and trained_on != base.hash:
        raise UnsafeModel(f"The expert was trained on base {trained_on[:12]}, not on {base.hash[:12]}.")
    return _from_tensors(load_file(path / "adapter_model.safetensors"), config, base)


def _from_tensors(tensors: dict[str, Tensor], config: dict[str, Any], base: Base) -> Expert:
    halves: dict[tuple[int, str], dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        match = TENSOR_NAME.fullmatch(key)
        if match is None or match[2] not in LINEARS or int(match[1]) >= base.layers:
            raise UnsafeModel(f"The adapter changes {key!r}, which is not a linear layer of this base.")
        halves.setdefault((int(match[1]), match[2]), {})[match[3]] = tensor.float()
    try:
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
    except (KeyError, TypeError, ValueError):
        raise UnsafeModel("adapter_config.json must give r and lora_alpha as numbers.") from None
    for (layer, name), half in halves.items():
        out, inner = linear_shape(base, layer, name)
        if half.keys() != {"A", "B"} or half["A"].shape != (rank, inner) or half["B"].shape != (out, rank):
            raise UnsafeModel(
                f"The adapter's weights for layer {layer} ({name}) don't fit this base or its rank {rank}."
            )
    if config.get("use_rslora"):
        alpha *= rank**0.5  # rank-stabilised LoRA (arXiv:2312.03732): scale = alpha / sqrt(rank)
    weights = {place: (half["A"], half["B"]) for place, half in sorted(halves.items())}
    return Expert(weights, rank, alpha).to(base.model.device, torch.float32)
