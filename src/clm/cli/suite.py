"""Suites that are there already: the general one, and tasks of the LM Evaluation Harness."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from clm.cli.api import part
from clm.cli.context import here
from clm.cli.data import Model, ingest_file, report
from clm.cli.dropping import drop_examples
from clm.cli.output import Format, Output, show_rows
from clm.records import Metric

app = typer.Typer(help="Suites: what examines tasks; ready-made ones.", no_args_is_help=True)
app.command("drop")(drop_examples)
Margin = Annotated[float, typer.Option(help="Tolerated loss in score points.")]


@app.command("show")
def show_suite(task: str, model: Model = None, output: Output = Format.table) -> None:
    """Show the held-out examples that examine a task now, the newest slice first."""
    rows = here.api.every(f"/models/{part(here.model(model))}/tasks/{part(task)}/suite")
    columns = {"slice": "SLICE", "record_id": "RECORD", "prompt": "PROMPT", "answer": "ANSWER"}
    nothing = f"Nothing is held out for task {task}. Bring examples: clm ingest FILE --task {task} --suite"
    show_rows(rows, output, columns, nothing)


@app.command()
def general(
    task: Annotated[str, typer.Option("--task", "-t", help="Name of the task that holds the suite.")] = "general",
    model: Model = None,
    margin: Margin = 0.1,
) -> None:
    """Watch general ability: forty everyday questions with choices, which no update is to answer worse.

    The ledger shows their change against the untouched base. Their number allows for a margin of 0.08 at the least;
    bring more (`clm ingest FILE --suite`) for a narrower one.
    """
    from clm.evaluation.general import general_suite

    _bring(here.model(model), task, "choice", margin, general_suite(), "general.jsonl")


@app.command()
def harness(
    name: Annotated[str, typer.Argument(help="Of a task in the LM Evaluation Harness, such as arc_easy.")],
    task: Annotated[str | None, typer.Option("--task", "-t", help="Name of the task here; none: the same.")] = None,
    model: Model = None,
    include: Annotated[Path | None, typer.Option(help="Folder with own tasks' YAML files.", exists=True)] = None,
    limit: Annotated[int | None, typer.Option(help="First documents only.", min=1)] = None,
    fewshot: Annotated[int | None, typer.Option(help="Examples before each; none: the task's.", min=0)] = None,
    margin: Margin = 0.05,
) -> None:
    """Take a task of the LM Evaluation Harness as a suite (needs the extra `harness`).

    The prompts are the harness's; scores are CLM's (choice, exact match or perplexity), to compare releases by.
    """
    from clm.evaluation.harness import harness_suite

    model = here.model(model)
    metric, rows = harness_suite(name, include, limit, fewshot)
    _bring(model, task or name, metric, margin, rows, f"{name}.jsonl")


def _bring(
    model: str, task: str, metric: Metric, margin: float, rows: Sequence[dict[str, Any]], file_name: str
) -> None:
    """Adds the task where it isn't there, and its rows as held-out examples."""
    from clm.errors import Conflict

    path = f"/models/{part(model)}/tasks"
    known = next((each for each in here.api.every(path) if each["name"] == task), None)
    if known is None:
        here.api.post(path, {"name": task, "metric": metric, "margin": margin, "holdout": 0.0, "watched": True})
    elif known["metric"] != metric:
        raise Conflict(f"Task {task!r} is scored by {known['metric']}, and this suite by {metric}. Name another task "
                       "with --task.")  # fmt: skip
    elif not known["watched"]:
        here.api.patch(f"{path}/{part(task)}", {"watched": True})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, file_name)
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        report(ingest_file(file, model, task, suite=True), Format.table)
