"""Whether a launcher (accelerate, torchrun or MPI) started this process beside others. Needs no torch."""

import os


def is_launched() -> bool:
    return _from_environment("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", default=1) > 1


def is_main() -> bool:
    """Known before the processes have met: true for the one that writes."""
    return _from_environment("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", default=0) == 0


def _from_environment(*names: str, default: int) -> int:
    return next((int(os.environ[name]) for name in names if name in os.environ), default)
