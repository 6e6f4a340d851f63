"""One training in several processes, as `accelerate launch` starts them; alone, nothing of it happens.

Every process knows all examples and takes its share of each batch's rows. Gradients and losses are summed, so that all
take the same step and hold the same weights; only the main process writes. An expert comes out as it does from one
process, but for float32's last digits.
"""

import atexit
import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from clm.errors import InvalidInput
from clm.training.launch import is_launched


class Processes:
    """This process alone."""

    count = 1
    index = 0

    @property
    def is_main(self) -> bool:
        """True for the one that writes files and tells of progress."""
        return self.index == 0

    def own(self, rows: Sequence[int]) -> list[int]:
        """This process's share of a batch's rows; may be empty."""
        return list(rows[self.index :: self.count])  # rows lie sorted by length, so every share has long and short ones

    def sum(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Each summed over all processes. All of them must ask, in the same order."""
        return tensors

    def gather(self, rows: Tensor) -> Tensor:
        """`[own rows, n]` -> `[rows of all processes, n]`, for what depends on a whole batch.

        A gradient reaches a process's own rows, times the number of processes: whatever all of them compute alike is
        divided by that number, so that it counts once.
        """
        return rows

    def agree(self, seen: bool) -> bool:
        """What the main process has seen; clocks differ. All of them must ask."""
        return seen

    def check_same(self, what: str) -> None:
        """Raises InvalidInput where processes were given different trainings, which would wait for each other."""


class Launched(Processes):
    """One of several. `device` is where its tensors lie."""

    def __init__(self, device: torch.device) -> None:
        from accelerate import PartialState

        self._state = PartialState(cpu=device.type == "cpu")
        atexit.register(_leave)
        self._device = device
        self.count = self._state.num_processes
        self.index = self._state.process_index

    def sum(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """One exchange for all."""
        flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
        torch.distributed.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        return tuple(part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True))

    def gather(self, rows: Tensor) -> Tensor:
        counts = torch.zeros(self.count, dtype=torch.long, device=self._device)
        counts[self.index] = len(rows)
        (counts,) = self.sum(counts)
        start = int(counts[: self.index].sum())
        with torch.no_grad():
            everyones = rows.new_zeros(int(counts.sum()), rows.shape[1])
            everyones[start : start + len(rows)] = rows
            (everyones,) = self.sum(everyones)
        own = rows + (self.count - 1) * (rows - rows.detach())
        return torch.cat((everyones[:start], own, everyones[start + len(rows) :]))

    def agree(self, seen: bool) -> bool:
        (total,) = self.sum(torch.full((1,), float(seen and self.is_main), device=self._device))
        return bool(total > 0)

    def check_same(self, what: str) -> None:
        named = int(hashlib.sha256(what.encode()).hexdigest()[:8], 16)
        numbers = torch.zeros(self.count, dtype=torch.long, device=self._device)
        numbers[self.index] = named
        (numbers,) = self.sum(numbers)
        if len(set(numbers.tolist())) > 1:
            raise InvalidInput(
                "The processes of this training were given different rows, policies or checkpoints. Start all of them "
                "with the same job, on a folder that they share."
            )


def _leave() -> None:
    """Ends the group before Python ends: its threads, still running then, abort a process that has done its work."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def join(device: torch.device) -> Processes:
    """This process and those that a launcher started beside it."""
    return Launched(device) if is_launched() else Processes()
