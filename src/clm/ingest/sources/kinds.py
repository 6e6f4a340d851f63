"""All kinds of sources by name."""

from collections.abc import Mapping

from clm.errors import unknown_name
from clm.ingest.sources.folder import Folder
from clm.ingest.sources.source import SourceKind

SOURCES: Mapping[str, SourceKind] = {
    "folder": Folder(),
}


def by_name(kind: str) -> SourceKind:
    """Raises InvalidInput for a kind that is none, with the known ones."""
    if kind not in SOURCES:
        raise unknown_name("kind of source", kind, list(SOURCES))
    return SOURCES[kind]
