from typing import Annotated, Any

import typer

from clm.cli.api import part
from clm.cli.context import here
from clm.cli.data import Model
from clm.cli.output import Format, Output, show, show_fields, show_rows
from clm.errors import TamperedArtifact

app = typer.Typer(help="Releases: what can be served.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="v3, or the beginning of a release id.")]


@app.command("list")
def list_(model: Model = None, output: Output = Format.table) -> None:
    """List a model's releases, newest first."""
    rows: list[dict[str, Any]] = [
        {"number": f"v{r['number']}", "release_id": r["release_id"], "id": r["release_id"][:12], "alias": r["alias"],
         "tasks": ", ".join(sorted(r["experts"])) or "base alone"}
        for r in here.api.every("/releases", model=here.model(model))
    ]  # fmt: skip
    show_rows(rows, output, {"number": "RELEASE", "id": "ID", "alias": "ALIAS", "tasks": "EXPERTS"}, "No release yet.")


@app.command("show")
def show_(release: Name, model: Model = None, output: Output = Format.table) -> None:
    """Show one release: experts, data, scores, gate."""
    shown = _get(release, model)
    lineage = shown["manifest"]["lineage"]
    fields = {"release": f"v{shown['number']}", "release_id": shown["release_id"], "parent": shown["parent"],
              "base": shown["manifest"]["base"], "experts": shown["experts"], "router": shown["router_hash"],
              "scores": lineage.get("scores"), "gate": (lineage.get("gate") or {}).get("reason"),
              "mixture": lineage.get("mixture"), "path": str(here.settings.home / shown["path"])}  # fmt: skip
    show_fields(fields, output)


@app.command()
def compare(a: Name, b: Name, model: Model = None, output: Output = Format.table) -> None:
    """Compare two releases: experts, data, configuration, scores."""
    show_fields(here.api.get(f"/releases/{part(a)}/compare/{part(b)}", model=here.model(model)), output)


@app.command()
def verify(release: Name, model: Model = None) -> None:
    """Check a release's files against its name, its digests and its signature. Exit code 1: they don't match."""
    shown = _get(release, model)
    checked = here.api.post(f"/releases/{shown['release_id']}:verify")
    if not checked["ok"]:
        raise TamperedArtifact(checked["reason"])
    typer.echo(f"v{shown['number']} {shown['release_id']} verifies. {checked['reason']}")


def _get(release: str, model: str | None) -> dict[str, Any]:
    return here.api.get(f"/releases/{part(release)}", model=here.model(model))


def lineage(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Answer, update, record or release (v2 or its id).")],
    model: Model = None,
    output: Output = Format.table,
) -> None:
    """Trace an answer or release down to its training rows, or a row up to what learned from it."""
    from clm.views.lineage import render

    traced = here.api.get(f"/lineage/{part(id_)}", model=here.model(model) if id_.startswith("v") else model)
    show(traced, output, lambda: typer.echo(render(traced)))
