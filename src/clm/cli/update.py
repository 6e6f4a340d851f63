import time
from contextlib import nullcontext
from typing import Annotated, Any

import typer

from clm.cli.api import part
from clm.cli.context import here
from clm.cli.data import Model
from clm.cli.output import Format, Output, show_fields, show_rows
from clm.records import UPDATE_ENDED, Json

app = typer.Typer(help="Updates: runs of the cycle.", no_args_is_help=True)
EXIT_CODES = {"succeeded": 0, "rejected": 2, "inconclusive": 2, "rolled-back": 2}


@app.command()
def start(
    task: str,
    model: Model = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end; exit code 2: the gate said no.")] = False,
    rollout: Annotated[str | None, typer.Option(help="canary or blue-green; none: the model's policy.")] = None,
    kind: Annotated[str, typer.Option(help="learn, or consolidate: make one expert of the task's parts.")] = "learn",
    output: Output = Format.table,
) -> None:
    """Update the model with a task's new data, or make one expert of a task's parts."""
    from clm.errors import unknown_name

    if rollout not in (None, "canary", "blue-green"):
        raise unknown_name("kind of rollout", rollout or "", ["canary", "blue-green"])
    if kind not in ("learn", "consolidate"):
        raise unknown_name("kind of update", kind, ["learn", "consolidate"])
    body = {"model": here.model(model), "task": task, "rollout": rollout, "kind": kind}
    carry_on(here.api.post("/updates", body), wait=wait, output=output)


def carry_on(update: Json, *, wait: bool, output: Format) -> None:
    """Says how a queued update goes on, or follows it to its end and exits with what came of it."""
    from clm.core.running import read_state

    running = read_state(here.settings.paths) is not None
    if not wait:
        hint = "" if running else " It starts with `clm up`, which is not running."
        typer.echo(f"Update {update['id']} is queued.{hint} Follow it: clm update logs {update['id']} --follow")
        return
    with nullcontext() if running else _own_worker():
        if not running and update["rollout"] == "canary":
            typer.echo("A canary needs traffic, and nothing serves on this home: it will wait at its first step. "
                       "Start `clm up` in another terminal, or use --rollout blue-green.", err=True)  # fmt: skip
        ended = follow(update["id"], quiet=output is not Format.table)
    if output is not Format.table:
        show_fields(ended, output)
    raise typer.Exit(EXIT_CODES.get(ended["state"], 1))


def _own_worker() -> Any:
    """No process tree runs on this home: a worker of our own does this update, and ends with it."""
    from clm.processes.services import SERVICES
    from clm.processes.supervisor import Supervisor

    return Supervisor(here.settings, tuple(s for s in SERVICES if s.name == "worker"), say=lambda _: None)


def follow(update_id: str, *, quiet: bool = False) -> Json:
    """Prints an update's log and progress until it ends."""
    path = f"/updates/{part(update_id)}"
    shown = 0
    mark: tuple[str, int] | None = None
    while True:
        update = here.api.get(path)
        page = here.api.get(f"{path}/log", after=shown)
        shown = page["next"]
        if not quiet:
            _print(page["lines"])
        if update["state"] in UPDATE_ENDED:
            if not quiet:
                typer.echo(f"Update {update_id} {update['state']}: {update['outcome']}")
            return update
        mark = mark if quiet else _tell_progress(update["progress"], mark)
        time.sleep(0.3)


def _print(lines: list[Json]) -> None:
    for line in lines:
        typer.echo(f"{line['at'][11:19]}  {line['stage'] or '':<9} {line['message']}")


def _tell_progress(now: Json | None, mark_before: tuple[str, int] | None) -> tuple[str, int] | None:
    """One line per quarter of a stage's steps."""
    if now is None or not now["steps"] or now["step"] is None:
        return mark_before
    mark = (now["stage"], 4 * now["step"] // now["steps"])
    if mark != mark_before and now["eta_seconds"] is not None:
        typer.echo(f"          {now['stage']:<9} {now['step']}/{now['steps']}, {now['eta_seconds']:.0f} s to go")
    return mark


@app.command("list")
def list_(
    model: Model = None,
    state: Annotated[str | None, typer.Option(help="Such as running or rejected.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    output: Output = Format.table,
) -> None:
    """List updates, newest first."""
    model = here.model(model) if model else None
    rows = here.api.every("/updates", limit, model=model, state=state)
    columns = {"id": "UPDATE", "model": "MODEL", "task": "TASK", "state": "STATE", "stage": "STAGE",
               "release_number": "RELEASE", "outcome": "OUTCOME"}  # fmt: skip
    show_rows(rows, output, columns, "No update yet. `clm update start TASK` starts one.")


@app.command()
def show(update_id: str, output: Output = Format.table) -> None:
    """Show one update: stages, verdict, what was tried to repair it, outcome."""
    fields = here.api.get(f"/updates/{part(update_id)}")
    if output is not Format.table:
        show_fields(fields, output)
        return
    show_fields({name: value for name, value in fields.items() if name not in ("tries", "verdict")}, output)
    for stage in fields["stages"]:
        for record, reason in ((stage["detail"] or {}).get("left_out") or {}).items():
            typer.echo(f"Left out of {stage['name']}: {record}: {reason}")
    if fields["verdict"]:
        columns = {"task": "TASK", "role": "ROLE", "champion": "BEFORE", "candidate": "AFTER",
                   "difference": "DIFFERENCE", "margin": "MARGIN", "n": "SUITE", "verdict": "VERDICT"}  # fmt: skip
        show_rows(fields["verdict"]["tasks"], output, columns, "The gate saw no task.")
        typer.echo(fields["verdict"]["reason"])
    details = {stage["name"]: stage["detail"] or {} for stage in fields["stages"]}
    if choice := details["train"].get("choice"):
        typer.echo(choice["reason"])
    if stopped := details["train"].get("stopped"):
        typer.echo(f"The training ended because {stopped}.")
    for line in _repairs(fields):
        typer.echo(line)


def _repairs(update: Json) -> list[str]:
    """What was tried to make it pass the gate."""
    from clm.records import RepairTry
    from clm.stages.repair_plan import sentence

    tries = [RepairTry(**{name: value for name, value in one.items() if name != "kept"}) for one in update["tries"]]
    return [sentence(number, update["task"], one) for number, one in enumerate(tries)]


@app.command()
def logs(
    update_id: str, follow_: Annotated[bool, typer.Option("--follow", "-f", help="Until it ends.")] = False
) -> None:
    """Print an update's log."""
    if follow_:
        follow(update_id)
    else:
        _print(here.api.get(f"/updates/{part(update_id)}/log")["lines"])


@app.command()
def cancel(update_id: str) -> None:
    """Cancel an update that has not reached its rollout."""
    update = here.api.post(f"/updates/{part(update_id)}:cancel")
    typer.echo(f"Update {update_id} is {update['state']}.")
