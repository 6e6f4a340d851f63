"""Faults that a drill switches on in one release's slot, so that a rollout can be seen to save the day.

Only where the setting `allow_faults` is on. The slot then really misbehaves: it fails, answers late, or talks nonsense.
"""

import random
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

GARBAGE_TEMPERATURE = 2.0


class Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["error", "slow", "garbage"]
    rate: Annotated[float, Field(ge=0, le=1, description="share of requests that meet it")] = 1.0
    seconds: Annotated[float, Field(gt=0, le=60, description="how much later a slow answer comes")] = 5.0

    def strikes(self) -> bool:
        return random.random() < self.rate


def scramble(prompt_ids: list[int]) -> list[int]:
    """A prompt that no longer says anything."""
    return random.sample(prompt_ids, len(prompt_ids))
