from pathlib import Path
from typing import Annotated, Any

import typer

from clm.cli import dropping, facts, memory
from clm.cli.api import part
from clm.cli.context import here
from clm.cli.output import Format, Output, show, show_rows

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
    for each in reports:
        report(each, output)
    taken = sum(each["accepted"] + each["duplicate"] for each in reports)
    if not taken and any(each["refused"] for each in reports):
        raise typer.Exit(1)


def ingest_file(
    file: Path, model: str, task: str, *, suite: bool = False, key: str | None = None, about: str | None = None
) -> dict[str, Any]:
    """`about`: the columns that say what a row is about; `key`: the same key has one effect."""
    spec = {"model": model, "task": task, "suite": suite, "source": "command line", "file_name": file.name}
    return here.api.upload("/records", file, idempotency_key=key, **spec, key=about)


def report(delivery: dict[str, Any], output: Format) -> None:
    def table() -> None:
        kind = "suite" if delivery["suite"] else "training"
        typer.echo("{batch_id} ({task}, {kind}): received {received} = accepted {accepted} + duplicate {duplicate} + "
                   "refused {refused}".format(kind=kind, **delivery))  # fmt: skip
        for refusal in delivery["refusals"][:10]:
            field = f", field {refusal['field']}" if refusal["field"] else ""
            typer.echo(f"  line {refusal['line']}{field}: {refusal['reason']}")
        for line in _decided(delivery):
            typer.echo(f"  {line}")
        for said in filter(None, (delivery["unchecked"], delivery["advice"])):
            typer.echo(f"  {said}", err=True)
        if delivery["refused"] > 10:
            typer.echo(f"  … and {delivery['refused'] - 10} more: clm data dead-letters {delivery['batch_id']}")

    show(delivery, output, table)


def _decided(delivery: dict[str, Any]) -> list[str]:
    """What became of some of the accepted rows, in sentences."""
    sentences = {
        "into_suite": "held out, as the newest slice of the suite",
        "superseding": "supersede what held before (clm data history PROMPT)",
        "late": "are older than what holds, so they are history",
        "contradicting": "contradict others and wait for you: clm data conflicts",
    }
    return [f"{delivery[name]} {sentence}" for name, sentence in sentences.items() if delivery[name]] + delivery[
        "notes"
    ]


@app.command()
def versions(model: Model = None, output: Output = Format.table) -> None:
    """List the dataset's versions: one per accepted batch."""
    rows = here.api.every(f"/models/{part(here.model(model))}/versions")
    columns = {"table": "TABLE", "version": "VERSION", "at": "AT", "operation": "OPERATION", "rows": "ROWS"}
    show_rows(rows, output, columns, "No data yet. `clm ingest FILE --task TASK` brings some.")


@app.command("dead-letters")
def dead_letters(batch: str, output: Output = Format.table) -> None:
    """List a batch's refused rows."""
    rows = here.api.every(f"/batches/{part(batch)}/refusals")
    show_rows(rows, output, {"line": "LINE", "field": "FIELD", "reason": "REASON", "sample": "SAMPLE"},
              f"Batch {batch} has no refused rows.")  # fmt: skip
