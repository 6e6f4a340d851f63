"""`clm data drop` and `clm suite drop`: rows that no update is to learn from, or to be asked."""

from typing import Annotated, Any

import typer

from clm.cli.api import part
from clm.cli.context import here
from clm.cli.output import Format, Output, show, show_rows, to_seconds
from clm.errors import InvalidInput, NotFound
from clm.records import Json

Ids = Annotated[
    list[str] | None, typer.Argument(help="Ids as updates and refusals name them: rec_…", metavar="[RECORD…]")
]
Batch = Annotated[str | None, typer.Option("--batch", help="Instead of ids: all that this delivery brought (bat_…).")]
Model = Annotated[str | None, typer.Option("--model", "-m", help="May be left out where there is one only.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Goes into the audit.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]
Undo = Annotated[bool, typer.Option("--undo", help="Take it back: from now on they count again.")]


def drop_rows(
    records: Ids = None,
    batch: Batch = None,
    model: Model = None,
    reason: Reason = "dropped by hand",
    undo: Undo = False,
    dry_run: DryRun = False,
    output: Output = Format.table,
) -> None:
    """Take training rows out: no update learns from them or replays them from now on. They stay in the dataset.

    With --batch all of a delivery goes, what was held out of it too.
    """
    _drop(records, batch, model, reason, undo, dry_run, output, sides=(False, True) if batch else (False,))


def drop_examples(
    examples: Ids = None,
    batch: Batch = None,
    model: Model = None,
    reason: Reason = "dropped by hand",
    undo: Undo = False,
    dry_run: DryRun = False,
    output: Output = Format.table,
) -> None:
    """Take held-out examples out: no update is asked them from now on. Their prompts still stay out of training."""
    _drop(examples, batch, model, reason, undo, dry_run, output, sides=(True,))


def list_dropped(
    model: Model = None,
    every: Annotated[bool, typer.Option("--all", help="Also what was taken back.")] = False,
    output: Output = Format.table,
) -> None:
    """List the rows and held-out examples that were dropped."""
    rows: list[dict[str, Any]] = [
        {"record_id": r["record_id"], "task": r["task"], "of": "suite" if r["suite"] else "training",
         "reason": r["reason"], "by": r["actor"], "at": to_seconds(r["created_at"]),
         "undone": r["undone_at"] is not None}
        for r in here.api.every(f"/models/{part(here.model(model))}/drops", undone=every)
    ]  # fmt: skip
    columns = {"record_id": "RECORD", "task": "TASK", "of": "OF", "reason": "REASON", "by": "BY", "at": "AT",
               "undone": "TAKEN BACK"}  # fmt: skip
    show_rows(rows, output, columns, "Nothing is dropped.")


def _drop(
    records: list[str] | None, batch: str | None, model: str | None, reason: str, undo: bool, dry_run: bool,
    output: Format, *, sides: tuple[bool, ...],
) -> None:  # fmt: skip
    """`sides`: whether held-out examples are meant, or training rows, or both."""
    if bool(records) == (batch is not None):
        raise InvalidInput("Name the records to take out, or the delivery that brought them with --batch.")
    path = f"/models/{part(here.model(model))}/drops"
    body: Json = {"record_ids": records or [], "batch_id": batch, "reason": reason, "undo": undo, "dry_run": dry_run}
    done: list[Json] = []
    missing: NotFound | None = None
    for suite in sides:
        try:
            done.append(here.api.post(path, body | {"suite": suite}))
        except NotFound as error:  # a delivery may have brought rows of one side only
            missing = missing or error
    if missing is not None and not done:
        raise missing

    def tell() -> None:
        for one in done:
            _tell(one)

    show(done[0] if len(sides) == 1 else done, output, tell)


def _tell(done: Json) -> None:
    from clm.core.content import beginning

    undone, dry_run = done["undone"], done["dry_run"]
    word = "taken back" if undone else "dropped"
    for row in done["records"]:
        typer.echo(f"{'Would be' if dry_run else 'Is'} {word}: {row['record_id']} ({row['task']}) "
                   f"{beginning(row['content'])!r}")  # fmt: skip
    for record in done["unchanged"]:
        typer.echo(f"Nothing to do: {record} {'is not dropped' if undone else 'is dropped already'}.")
    for task, left in done["left"].items():
        typer.echo(f"Task {task} has {left} {'held-out examples' if done['suite'] else 'training rows'} "
                   f"{'now' if undone else 'left'}.")  # fmt: skip
        if done["suite"] and not left:
            typer.echo(f"Nothing examines task {task} any more, so its next update stops. Bring examples: "
                       f"clm ingest FILE --task {task} --suite", err=True)  # fmt: skip
