"""All kinds of job runners by name; the setting `jobs` chooses."""

from collections.abc import Mapping

from clm.errors import unknown_name
from clm.jobs.inline import Inline
from clm.jobs.runner import JobRunner
from clm.jobs.subprocess import Subprocess

RUNNERS: Mapping[str, JobRunner] = {
    "subprocess": Subprocess(),
    "inline": Inline(),
}


def runner_of(kind: str) -> JobRunner:
    """Raises NotFound for a kind that is none, with the known ones."""
    if kind not in RUNNERS:
        raise unknown_name("kind of job runner", kind, list(RUNNERS))
    return RUNNERS[kind]
