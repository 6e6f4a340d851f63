from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clm.cli import dropping, facts, memory
from clm.cli.context import here
from clm.cli.output import Format, Output, show, show_rows

if TYPE_CHECKING:
    from clm.records import IngestReport

app = typer.Typer(help="Data: versions, history, contradictions, refused rows, replay memory.", no_args_is_help=True)
app.add_typer(memory.replay, name="replay")
app.add_typer(memory.held, name="held")
app.command("drop")(dropping.drop_rows)
app.command("dropped")(dropping.list_dropped)
app.add_typer(facts.conflicts_app, name="conflicts")
app.command("history")(facts.history)
app.command("resolve")(facts.resolve)
Model = Annotated[str | None, typer.Option("--model", "-m", help="May be left out where there is one only.")]
Task = Annotated[str, typer.Option("--task", "-t")]


def ingest(
    files: Annotated[list[Path], typer.Argument(help="JSONL, CSV or Parquet.", exists=True, dir_okay=False)],
    task: Task,
    model: Model = None,
    suite: Annotated[bool, typer.Option("--suite", help="Held-out examples: never trained on.")] = False,
    key: Annotated[
        str | None, typer.Option(help="Column that says what a row is about (or several: sku,field); none: its prompt.")
    ] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key has one effect.")] = None,
    output: Output = Format.table,
) -> None:
    """Take files in. Bad rows are refused one by one, with the reason; the good ones are kept."""
    model = here.model(model)
    reports = [ingest_file(file, model, task, suite=suite, key=idempotency_key, about=key) for file in files]
    for made in reports:
        report(made, output)
    if any(made.refused for made in reports) and not any(made.accepted or made.duplicate for made in reports):
        raise typer.Exit(1)


def ingest_file(
    file: Path, model: str, task: str, *, suite: bool, key: str | None, about: str | None = None
) -> "IngestReport":
    from clm.ingest import service
    from clm.ingest.intake import BatchSpec

    spec = BatchSpec(model, task, source="command line", suite=suite, key=about, idempotency_key=key)
    return service.ingest(here.installation.intake(here.caller), file, spec)


def report(made: "IngestReport", output: Format) -> None:
    from dataclasses import asdict

    def table() -> None:
        kind = "suite" if made.suite else "training"
        typer.echo(f"{made.batch_id} ({made.task}, {kind}): received {made.received} = accepted {made.accepted} "
                   f"+ duplicate {made.duplicate} + refused {made.refused}")  # fmt: skip
        for refusal in made.refusals[:10]:
            field = f", field {refusal.field}" if refusal.field else ""
            typer.echo(f"  line {refusal.line}{field}: {refusal.reason}")
        for line in _decided(made):
            typer.echo(f"  {line}")
        for said in filter(None, (made.unchecked, made.advice)):
            typer.echo(f"  {said}", err=True)
        if made.refused > 10:
            typer.echo(f"  … and {made.refused - 10} more: clm data dead-letters {made.batch_id}")

    show(asdict(made), output, table)


def _decided(made: "IngestReport") -> list[str]:
    lines = [f"{made.into_suite} held out, as the newest slice of the suite"] if made.into_suite else []
    lines += [f"{made.superseding} supersede what held before (clm data history PROMPT)"] if made.superseding else []
    lines += [f"{made.late} are older than what holds, so they are history"] if made.late else []
    if made.contradicting:
        lines.append(f"{made.contradicting} contradict others and wait for you: clm data conflicts")
    return lines + list(made.notes)


@app.command()
def versions(model: Model = None, output: Output = Format.table) -> None:
    """List the dataset's versions: one per accepted batch."""
    from dataclasses import asdict

    rows: list[dict[str, Any]] = [asdict(row) for row in here.store.versions(here.model(model))]
    columns = {"table": "TABLE", "version": "VERSION", "at": "AT", "operation": "OPERATION", "rows": "ROWS"}
    show_rows(rows, output, columns, "No data yet. `clm ingest FILE --task TASK` brings some.")


@app.command("dead-letters")
def dead_letters(batch: str, output: Output = Format.table) -> None:
    """List a batch's refused rows."""
    from clm.ingest import repository

    with here.database.read() as session:
        repository.get_batch(session, batch)
        rows: list[dict[str, Any]] = [
            {"line": r.line, "field": r.field, "reason": r.reason, "sample": r.sample}
            for r in repository.refusals(session, batch, limit=10_000)
        ]
    show_rows(rows, output, {"line": "LINE", "field": "FIELD", "reason": "REASON", "sample": "SAMPLE"},
              f"Batch {batch} has no refused rows.")  # fmt: skip
