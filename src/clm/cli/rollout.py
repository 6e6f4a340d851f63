from typing import Annotated, Any

import typer

from clm.cli.api import part
from clm.cli.context import here
from clm.cli.data import Model
from clm.cli.output import Format, Output, show_fields

app = typer.Typer(help="Rollouts: moving traffic to a release.", no_args_is_help=True)
Reason = Annotated[str | None, typer.Option(help="Goes into the audit.")]


@app.command()
def start(
    release: Annotated[str, typer.Argument(help="v3, or the beginning of a release id.")],
    model: Model = None,
    kind: Annotated[str | None, typer.Option(help="canary or blue-green; none: the model's policy.")] = None,
) -> None:
    """Move traffic to a release that is registered already."""
    body = {"release": release, "kind": kind}
    rollout = here.api.post(f"/deployments/{part(here.model(model))}:start", body)
    typer.echo(f"Rollout {rollout['id']} ({rollout['kind']}) has begun; the worker moves it on.")


@app.command()
def show(model: Model = None, output: Output = Format.table) -> None:
    """Show who serves, and the rollout under way."""
    shown = here.api.get(f"/deployments/{part(here.model(model))}")
    names = ("model", "champion", "previous", "candidate", "candidate_share", "revision")
    fields: dict[str, Any] = {name: shown[name] for name in names}
    rollout = shown["rollout"]
    fields["rollout"] = rollout and {
        **{name: rollout[name] for name in ("id", "kind", "state", "step")},
        "last": rollout["verdicts"][-1] if rollout["verdicts"] else None,
    }
    fields["allowed"] = [each["action"] for each in shown["allowed_actions"] if each["enabled"]]
    show_fields(fields, output)


@app.command()
def promote(model: Model = None, reason: Reason = None) -> None:
    """Give the candidate all traffic now."""
    _act("promote", model, None, reason)


@app.command()
def pause(model: Model = None, reason: Reason = None) -> None:
    """Keep the candidate's share as it is. Harm still rolls it back."""
    _act("pause", model, None, reason)


@app.command()
def resume(model: Model = None, reason: Reason = None) -> None:
    """Go on with a paused rollout."""
    _act("resume", model, None, reason)


@app.command()
def abort(model: Model = None, reason: Reason = None) -> None:
    """Take the candidate out; the champion keeps serving."""
    _act("abort", model, None, reason)


def rollback(
    model: Annotated[str | None, typer.Argument(help="May be left out where there is one only.")] = None,
    to: Annotated[str | None, typer.Option(help="Release that served before; none: the one before this.")] = None,
    reason: Reason = None,
) -> None:
    """Move all traffic back, at once. Works without the worker and without a restart, and where the API is dead."""
    from clm.errors import ClmError

    try:
        _act("rollback", model, to, reason)
    except ClmError as error:
        if error.status < 500:
            raise
        typer.echo(f"The API could not do it ({error.sentence}); it is done without it.", err=True)
        _without_api(model, to, reason)


def _act(action: str, model: str | None, to: str | None, reason: str | None) -> None:
    model = here.model(model)
    if to and to.startswith("v"):
        to = here.api.get(f"/releases/{part(to)}", model=model)["release_id"]
    moved = here.api.post(f"/deployments/{part(model)}:{action}", {"to": to, "reason": reason})
    _say(model, moved["champion"], moved["rollback_ms"])


def _without_api(model: str | None, to: str | None, reason: str | None) -> None:
    """The same move from this process: it needs the database and the files, and nothing that runs."""
    from clm.catalog.service import list_models
    from clm.deployment.switch import move_traffic
    from clm.errors import only_model
    from clm.registry import service as registry

    on = here.installation
    with on.database.read() as session:
        model = model or only_model([each.name for each in list_models(session)])
        if to and to.startswith("v"):
            to = registry.get(session, to, model).release_id
    moved = move_traffic(on.database, on.settings, here.caller, model, "rollback", to=to, reason=reason)
    _say(model, moved.champion, moved.milliseconds)


def _say(model: str, champion: str, milliseconds: float | None) -> None:
    from clm.core.hashing import short

    took = "" if milliseconds is None else f" ({milliseconds:.0f} ms)"
    typer.echo(f"{model}: release {short(champion)} serves{took}.")
