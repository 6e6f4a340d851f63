"""`clm data replay` and `clm data held`: what of the past updates learn from again, and what they must not."""

from typing import Annotated, Any

import typer

from clm.cli.api import part
from clm.cli.context import here
from clm.cli.output import Format, Output, show, show_rows, to_seconds

replay = typer.Typer(help="Replay memory: the old rows that a refresh learns from again.", no_args_is_help=True)
held = typer.Typer(help="Rows of rejected updates: held until you release or discard them.", no_args_is_help=True)
Model = Annotated[str | None, typer.Option("--model", "-m", help="May be left out where there is one only.")]
Reference = Annotated[str, typer.Argument(help="A batch, or the update that was rejected.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]


@replay.command("show")
def show_memory(
    model: Model = None,
    task: Annotated[str | None, typer.Option("--task", "-t", help="None: all tasks.")] = None,
    rows: Annotated[int, typer.Option(min=0, help="Rows shown per task in a table; json and yaml have all.")] = 10,
    output: Output = Format.table,
) -> None:
    """Show what the champion's memories hold: policy, budget used, rows."""
    memories = here.api.every(f"/models/{part(here.model(model))}/memory", task=task)
    show(memories, output, lambda: _memories(memories, rows))


def _memories(memories: list[dict[str, Any]], rows: int) -> None:
    if not memories:
        typer.echo("No memory yet. The first update of a task makes one: clm update start TASK.")
    for memory in memories:
        typer.echo(
            f"{memory['task']}: {memory['rows']} of {memory['most_rows']} rows, "
            f"{memory['bytes'] / 1e6:.3f} of {memory['most_bytes'] / 1e6:g} MB, policy {memory['policy']}"
        )
        if memory["left_out"]:
            typer.echo(f"  {memory['left_out']} more are erased, held out, held or dropped since, and are not replayed")
        if memory["answers"]:
            typer.echo("  answers: " + ", ".join(f"{answer} {n}" for answer, n in memory["answers"].items()))
        for row in memory["contents"][:rows]:
            score = "" if row["score"] is None else f"  {row['score']:.3f}"
            typer.echo(f"  {row['record_id']}{score}  {row['begins']!r} -> {row['answer'][:40]!r}")
        if len(memory["contents"]) > rows:
            typer.echo(f"  … and {len(memory['contents']) - rows} more (-o json lists all)")


@held.command("list")
def list_held(
    model: Model = None,
    every: Annotated[bool, typer.Option("--all", help="Also what was released or discarded.")] = False,
    output: Output = Format.table,
) -> None:
    """List the batches that no update learns from, with the reason."""
    rows: list[dict[str, Any]] = [
        {"batch": r["batch_id"], "task": r["task"], "rows": r["rows"], "state": r["state"], "update": r["update_id"],
         "since": to_seconds(r["created_at"]), "reason": r["reason"]}
        for r in here.api.every(f"/models/{part(here.model(model))}/held", every=every)
    ]  # fmt: skip
    columns = {"batch": "BATCH", "task": "TASK", "rows": "ROWS", "state": "STATE", "update": "UPDATE",
               "reason": "REASON"}  # fmt: skip
    show_rows(rows, output, columns, "Nothing is held: no update was rejected, or all was decided.")


@held.command()
def release(reference: Reference, dry_run: DryRun = False) -> None:
    """Let updates learn from these rows again."""
    _decide(reference, "released", dry_run)


@held.command()
def discard(reference: Reference, dry_run: DryRun = False) -> None:
    """Never learn from these rows. They stay in the dataset, and `release` takes this back."""
    _decide(reference, "discarded", dry_run)


def _decide(reference: str, decision: str, dry_run: bool) -> None:
    body = {"decision": decision, "dry_run": dry_run}
    changed = here.api.post(f"/held/{part(reference)}:decide", body)["items"]
    for row in changed:
        rows = f"{row['batch_id']} ({row['task']}, {row['rows']} rows)"
        typer.echo(f"{'Would be' if dry_run else 'Is'} {decision}: {rows}.")
    if decision == "released" and not dry_run:
        typer.echo(f"The next update learns from them as new rows: clm update start {changed[0]['task']}")
