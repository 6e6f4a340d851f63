"""`clm data history`, `conflicts` and `resolve`: what superseded what, and what a person has to decide."""

from typing import Annotated, Any

import typer

from clm.cli.api import part
from clm.cli.context import here
from clm.cli.output import Format, Output, show, show_rows

conflicts_app = typer.Typer(help="Answers that contradict each other, side by side.", invoke_without_command=True)
Model = Annotated[str | None, typer.Option("--model", "-m", help="May be left out where there is one only.")]
Task = Annotated[str | None, typer.Option("--task", "-t", help="None: all tasks.")]
All = Annotated[bool, typer.Option("--all", help="Also those that are resolved.")]


def history(
    of: Annotated[str, typer.Argument(metavar="KEY|PROMPT|RECORD")],
    model: Model = None,
    last: Annotated[int, typer.Option("--last", help="How many of the newest versions the table shows.", min=1)] = 50,
    output: Output = Format.table,
) -> None:
    """Show every version of what a key or a prompt has as its answer: what holds, and what superseded what."""
    rows = here.api.every("/records/history", model=here.model(model), of=of)
    if not rows:
        typer.echo(
            f"Nothing is known of {of!r}: it is no prompt, no record id and no key. "
            "A key is written with its column, such as sku=7.",
            err=True,
        )
        raise typer.Exit(1)
    shown = rows[-last:] if output is Format.table else rows
    columns = {"task": "TASK", "event_time": "EVENT TIME", "ingested_at": "INGESTED", "source": "SOURCE",
               "batch_id": "BATCH", "prompt": "PROMPT", "answer": "ANSWER", "state": "STATE", "record_id": "RECORD",
               "superseded_by": "SUPERSEDED BY"}  # fmt: skip
    show_rows(shown, output, columns, "")
    if len(shown) < len(rows):
        typer.echo(f"… and {len(rows) - len(shown)} before them: --last {len(rows)} shows all", err=True)


@conflicts_app.callback()
def conflicts_default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_conflicts()


@conflicts_app.command("list")
def list_conflicts(model: Model = None, task: Task = None, all_: All = False, output: Output = Format.table) -> None:
    """List what waits for a decision, oldest first."""
    state = "all" if all_ else "open"
    rows: list[dict[str, Any]] = [
        row | {"answers": " | ".join(option["answer"] for option in row["options"])}
        for row in here.api.every("/conflicts", model=here.model(model), task=task, state=state)
    ]
    columns = {"id": "CONFLICT", "task": "TASK", "batch_id": "BATCH", "prompt": "PROMPT", "answers": "ANSWERS",
               "reason": "REASON", "state": "STATE", "decision": "DECISION"}  # fmt: skip
    show_rows(rows, output, columns, "No contradiction waits for a decision.")


@conflicts_app.command("show")
def show_conflict(conflict: str, output: Output = Format.table) -> None:
    """Show one with all its answers."""
    row = here.api.get(f"/conflicts/{part(conflict)}")

    def table() -> None:
        typer.echo(f"{row['id']} ({row['task']}, {row['state']}): {row['prompt']}\n  {row['reason']}")
        columns = {"record_id": "RECORD", "answer": "ANSWER", "event_time": "EVENT TIME", "source": "SOURCE",
                   "batch_id": "BATCH", "new": "NEW"}  # fmt: skip
        show_rows(row["options"], Format.table, columns, "It has no answers.")
        typer.echo(f"Decide: clm data resolve {row['id']} newest | keep-both | this RECORD")

    show(row, output, table)


def resolve(
    words: Annotated[
        list[str], typer.Argument(metavar="[CONFLICT|BATCH] DECISION", help="newest, keep-both, or: this RECORD.")
    ],
    all_: Annotated[bool, typer.Option("--all", help="All that wait; without a conflict or batch.")] = False,
    model: Model = None,
) -> None:
    """Say which answer is right: newest, keep-both, or this RECORD. It counts from the next update on."""
    from clm.errors import InvalidInput

    reference, said = (None, words) if all_ else (words[0], words[1:])
    if said[:1] == ["this"] and not all_:
        said = said[1:]
    many = reference is None or reference.startswith("bat_")  # a batch stands for all that it brought
    if len(said) != 1 or (many and said[0] not in ("newest", "keep-both")):
        raise InvalidInput("Say: clm data resolve CONFLICT newest, … keep-both, … this RECORD, or --all newest.")
    if many:
        of = here.api.get(f"/batches/{part(reference)}")["model"] if reference else here.model(model)
        body = {"decision": said[0], "model": of, "batch_id": reference}
        rows: list[dict[str, Any]] = here.api.post("/conflicts:resolve", body)["items"]
    else:
        rows = [here.api.post(f"/conflicts/{part(str(reference))}:resolve", {"decision": said[0]})]
    for row in rows[:10]:
        typer.echo(f"{row['id']}: {row['decision']}; right: {', '.join(row['wins'])}")
    if len(rows) > 10:
        typer.echo(f"… and {len(rows) - 10} more")
