from typing import Annotated, Any

import typer

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
    from clm.deployment.targets import targets
    from clm.stages.rolling_out import begin_rollout

    model = here.model(model)
    with here.database.transaction() as session:
        rollout = begin_rollout(session, here.caller, model, release, kind)
    targets.reconcile(here.database, here.settings)
    typer.echo(f"Rollout {rollout.id} ({rollout.kind}) has begun; the worker moves it on.")


@app.command()
def show(model: Model = None, output: Output = Format.table) -> None:
    """Show who serves, and the rollout under way."""
    from clm.deployment import repository, service

    with here.database.read() as session:
        row = repository.get_deployment(session, here.model(model))
        rollout = repository.get_rollout(session, row.rollout_id) if row.rollout_id else None
        fields: dict[str, Any] = {
            "model": row.model,
            "champion": row.champion,
            "previous": row.previous,
            "candidate": row.candidate,
            "candidate_share": row.candidate_share,
            "revision": row.revision,
            "rollout": {"id": rollout.id, "kind": rollout.kind, "state": rollout.state, "step": rollout.step,
                        "last": rollout.verdicts[-1] if rollout.verdicts else None} if rollout else None,
            "allowed": [a["action"] for a in service.allowed_actions(row, rollout) if a["enabled"]],
        }  # fmt: skip
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
    """Move all traffic back, at once. Works without the worker and without a restart."""
    _act("rollback", model, to, reason)


def _act(action: str, model: str | None, to: str | None, reason: str | None) -> None:
    from clm.core.hashing import short
    from clm.deployment.switch import move_traffic
    from clm.registry import service as registry

    model = here.model(model)
    if to and to.startswith("v"):
        with here.database.read() as session:
            to = registry.get(session, to, model).release_id
    moved = move_traffic(here.database, here.settings, here.caller, model, action, to=to, reason=reason)
    typer.echo(f"{model}: release {short(moved.champion)} serves ({moved.milliseconds:.0f} ms).")
