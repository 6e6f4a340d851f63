"""What strategies remember from one update of an adapter to the next: tensors in a file named by its hash."""

import tempfile
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from clm.core.files import write_bytes
from clm.core.hashing import sha256_file
from clm.llm.model_files import check_safetensors


def save_state(state: dict[str, Tensor], folder: Path) -> str | None:
    """Writes `folder/<hash>.safetensors` and returns the hash; None where there is nothing to remember."""
    if not state:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        file = Path(temporary) / "state.safetensors"
        save_file(dict(sorted(state.items())), file)
        state_hash = sha256_file(file)
        write_bytes(folder / f"{state_hash}.safetensors", file.read_bytes())
    return state_hash


def load_state(file: Path) -> dict[str, Tensor]:
    """Raises UnsafeModel where the file is no safetensors file."""
    check_safetensors(file)
    return load_file(file)
