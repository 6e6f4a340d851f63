"""A training job's way from its mixture to what is learned: which expert, from where, on which rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from clm.core.files import read_json, write_json
from clm.jobs.job import Stored
from clm.jobs.training import TrainingJob
from clm.llm.base import Base
from clm.llm.router import Seen
from clm.records import Json
from clm.training.examples import Example
from clm.training.part_choice import choose_part
from clm.training.parts import Choice, Known, consolidation, seen_after
from clm.training.routing import fit, point_of, see, task_features
from clm.training.seen import some, together
from clm.training.transfer import Start, start_of_job


@dataclass(frozen=True)
class Plan:
    part: str  # the name of the expert that is trained
    old: Stored | None  # the expert whose weights it goes on from
    start: Path | None  # where a new one's weights begin that goes on from none; None: fresh
    replay: Sequence[Example] | None  # of this task; None: what the mixture holds
    seen: Seen  # what the router will know of it
    state: Path | None  # what its strategies remember
    merged: tuple[str, ...] = ()  # experts that it replaces
    tutors: Mapping[str, Stored] = field(default_factory=dict[str, Stored])  # by record id: who answered it so far
    choice: Choice | None = None
    transfer: Start | None = None

    @property
    def reason(self) -> str:
        return self.choice.reason if self.choice else self.transfer.reason if self.transfer else ""


def plan(
    job: TrainingJob,
    folder: Path,
    base: Base,
    new: Sequence[Example],
    old: Sequence[Example],
    seen: Mapping[str, Seen],
) -> Plan:
    """`old` are the mixture's rows of the same task, `seen` is what the router knows so far, by expert. What was
    decided once is kept in the job's folder."""
    if job.init_expert is None or job.parts is None or job.own_features is None:
        return _one_adapter(job, folder, base, [*new, *old], seen)
    stored = {**job.others, job.task: job.init_expert}
    experts = {name: expert.path for name, expert in stored.items()}
    known = Known(experts, seen)
    choice = _decided(folder / "choice.json", old) or _choose(job, base, new, old, known)
    write_json(folder / "choice.json", {**asdict(choice), "replay": [row.record_id for row in choice.replay]})
    goes_on = choice.kind == "refresh"
    return Plan(
        part=choice.part,
        old=stored[choice.start] if goes_on else None,
        start=experts[choice.start],
        replay=choice.replay,
        seen=seen_after(base, choice, new, known.seen, job.policy.seed),
        state={**job.part_states, job.task: job.state}.get(choice.part) if goes_on else None,
        merged=choice.merged,
        tutors=_tutors(base, job, [*new, *choice.replay], known, stored) if choice.kind == "consolidate" else {},
        choice=choice,
    )


def _tutors(
    base: Base, job: TrainingJob, rows: Sequence[Example], known: Known, stored: Mapping[str, Stored]
) -> dict[str, Stored]:
    """Each row's part, as the router finds it; the one that most is known of, where it finds none."""
    router = fit(base, known.seen, job.policy.seed, job.policy.strategies)
    parts = known.parts(job.task)
    largest = max(parts, key=lambda name: len(known.seen[name].features))
    routed = router.route(task_features(base, rows, router.point)) if rows else []
    return {row.record_id: stored[name if name in parts else largest] for row, name in zip(rows, routed, strict=True)}


def _choose(job: TrainingJob, base: Base, new: Sequence[Example], old: Sequence[Example], known: Known) -> Choice:
    if job.parts is None or job.consolidate:
        return consolidation(job.task, old, known, "Made one, as it was asked for.")
    return choose_part(base, job.task, new, old, known, job.policy, job.parts, frozenset(job.changed))


def _decided(file: Path, old: Sequence[Example]) -> Choice | None:
    if not file.exists():
        return None
    kept: Json = read_json(file)
    rows = {row.record_id: row for row in old}
    kept |= {"replay": tuple(rows[record_id] for record_id in kept["replay"]), "merged": tuple(kept["merged"])}
    return Choice(**kept)


def _one_adapter(job: TrainingJob, folder: Path, base: Base, examples: list[Example], seen: Mapping[str, Seen]) -> Plan:
    """A task's first expert, or an adapter that several tasks share."""
    mine = see(base, some(examples, job.policy.seed), point_of(base, seen))
    if job.task in seen:  # its older prompts still come, though few of them are replayed
        mine = together(seen[job.task], mine, job.policy.seed)
    start = start_of_job(job, folder, base, examples, mine.features)
    return Plan(job.task, job.init_expert, start.path if start else None, None, mine, job.state, transfer=start)
