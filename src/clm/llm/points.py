"""Where in the base the router reads a prompt. A router and the features it was fitted on name the same point."""

from dataclasses import dataclass
from typing import Literal, get_args

from clm.records import Json

Pooling = Literal["mean", "mean+last"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


@dataclass(frozen=True, order=True)
class Point:
    layer: int  # states after so many of the base's layers
    pooling: Pooling  # over the prompt's tokens: their mean, or their mean and beside it the last one's state

    def width(self, hidden: int) -> int:
        """How many numbers a prompt becomes."""
        return hidden * len(self.pooling.split("+"))

    def plain(self) -> Json:
        return {"layer": self.layer, "pooling": self.pooling}

    @classmethod
    def read(cls, plain: Json) -> "Point":
        """Raises ValueError where it is no point."""
        layer, pooling = int(plain["layer"]), plain["pooling"]
        if layer < 1 or pooling not in POOLINGS:
            raise ValueError(f"there is no reading of {pooling!r} after layer {layer}")
        return cls(layer, pooling)

    def __str__(self) -> str:
        return f"{self.pooling.replace('+', ' and ')} of layer {self.layer}"
