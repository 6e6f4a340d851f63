"""Where content-addressed artifacts lie: hash → file. Each is written once, under its hash, and never edited."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Artifacts:
    """The artifacts of one home."""

    folder: Path

    def base(self, base_hash: str) -> Path:
        return self.bases / base_hash

    def expert(self, expert_hash: str) -> Path:
        return self.experts / expert_hash

    def router(self, router_hash: str) -> Path:
        return self.routers / router_hash

    def features_of(self, features_hash: str) -> Path:
        return self.features / f"{features_hash}.safetensors"

    def state(self, state_hash: str) -> Path:
        return self.states / f"{state_hash}.safetensors"

    @property
    def bases(self) -> Path:
        return self.folder / "bases"

    @property
    def experts(self) -> Path:
        return self.folder / "experts"

    @property
    def features(self) -> Path:
        """Of tasks' prompts, for the router."""
        return self.folder / "features"

    @property
    def routers(self) -> Path:
        return self.folder / "routers"

    @property
    def states(self) -> Path:
        """What strategies remember of earlier updates."""
        return self.folder / "states"

    @property
    def memories(self) -> Path:
        return self.folder / "memories"

    @property
    def answers(self) -> Path:
        return self.folder / "answers"
