"""Peak memory and computing time of processes, as Linux counts them. None elsewhere, and a result says so with null."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PROCESSES = Path("/proc")


def own_peak_mb() -> float | None:
    """Of this process since its start. Unlike `ru_maxrss` it does not begin with the parent's."""
    return _peak_mb(PROCESSES / "self")


def device_peak_mb(device: "torch.device") -> float | None:
    """What this process's tensors took of an accelerator's memory at most; None on a CPU."""
    import torch

    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None


class PeakOf:
    """Peak memory of processes by module, among those that have `home` in their command line."""

    def __init__(self, home: Path, modules: tuple[str, ...]) -> None:
        self._home = str(home)
        self._modules = modules
        self.megabytes: dict[str, float] = {}

    def look(self) -> None:
        """To be called several times a second: a process that ends in between is seen as it last was."""
        for process in PROCESSES.glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:  # it has ended
                continue
            if any(word.startswith(self._home) for word in words):
                for module in self._modules:
                    if module in words and (peak := _peak_mb(process)) is not None:
                        self.megabytes[module] = max(peak, self.megabytes.get(module, 0.0))


def cpu_seconds(process: int) -> float | None:
    """Computing time of a process and of those of its children that have ended: what others run does not add to it."""
    try:
        # After the name, which ends with the last bracket: state is field 3; user and system time are 14 to 17.
        words = (PROCESSES / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(process: Path) -> float | None:
    try:
        for line in (process / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None
