"""Where records come from without being sent: a kind of source says what it needs and takes in what is there."""

from abc import ABC, abstractmethod

from clm.ingest.intake import BatchSpec, Intake
from clm.ingest.tables import Source
from clm.records import IngestReport, Json


class SourceKind(ABC):
    @abstractmethod
    def check(self, settings: Json) -> tuple[str, Json]:
        """The address that no two sources may share, and the settings made whole. Raises InvalidInput, with the field,
        for settings that can't work here."""

    @abstractmethod
    def poll(self, intake: Intake, source: Source) -> list[IngestReport]:
        """Takes in what is there now, each thing once: after a crash, the same key makes it the same batch."""


def spec_of(source: Source, idempotency_key: str) -> BatchSpec:
    """What a batch from this source says of itself."""
    return BatchSpec(
        source.model, source.task, source=source.address[-200:], suite=source.suite, key=source.key,
        idempotency_key=f"{source.id}:{idempotency_key}",
    )  # fmt: skip
