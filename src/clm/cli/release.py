from typing import Annotated, Any

import typer

from clm.cli.context import here
from clm.cli.data import Model
from clm.cli.output import Format, Output, show, show_fields, show_rows

app = typer.Typer(help="Releases: what can be served.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="v3, or the beginning of a release id.")]


@app.command("list")
def list_(model: Model = None, output: Output = Format.table) -> None:
    """List a model's releases, newest first."""
    from clm.deployment import repository
    from clm.registry import service

    model = here.model(model)
    with here.database.read() as session:
        row = repository.get_deployment(session, model)
        aliases = {row.previous: "previous", row.candidate: "candidate", row.champion: "champion"}
        rows: list[dict[str, Any]] = [
            {"number": f"v{r.number}", "release_id": r.release_id, "id": r.release_id[:12],
             "alias": aliases.get(r.release_id), "tasks": ", ".join(sorted(r.composition.experts)) or "base alone"}
            for r in service.list_releases(session, model)
        ]  # fmt: skip
    show_rows(rows, output, {"number": "RELEASE", "id": "ID", "alias": "ALIAS", "tasks": "EXPERTS"}, "No release yet.")


@app.command("show")
def show_(release: Name, model: Model = None, output: Output = Format.table) -> None:
    """Show one release: experts, data, scores, gate."""
    from clm.registry import service

    with here.database.read() as session:
        found = service.get(session, release, here.model(model))
    lineage = found.manifest["lineage"]
    fields = {"release": f"v{found.number}", "release_id": found.release_id, "parent": found.parent,
              "base": found.manifest["base"], "experts": found.composition.experts,
              "router": found.composition.router_hash, "scores": lineage.get("scores"),
              "gate": (lineage.get("gate") or {}).get("reason"), "mixture": lineage.get("mixture"),
              "path": str(here.settings.home / found.path)}  # fmt: skip
    show_fields(fields, output)


@app.command()
def compare(a: Name, b: Name, model: Model = None, output: Output = Format.table) -> None:
    """Compare two releases: experts, data, configuration, scores."""
    from dataclasses import asdict

    from clm.registry import service

    model = here.model(model)
    with here.database.read() as session:
        ids = (service.get(session, each, model).release_id for each in (a, b))
        found = service.compare(session, here.settings.home, *ids)
    show_fields(asdict(found), output)


@app.command()
def verify(release: Name, model: Model = None) -> None:
    """Check a release's files against its name, its digests and its signature. Exit code 1: they don't match."""
    from clm.registry import bundle, service

    with here.database.read() as session:
        found = service.get(session, release, here.model(model))
    files = bundle.verify_bundle(here.settings.paths.releases / found.release_id, here.settings.paths.keys)["files"]
    typer.echo(f"v{found.number} {found.release_id} verifies: {len(files)} files, signature good.")


def lineage(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Answer, update, record or release (v2 or its id).")],
    model: Model = None,
    output: Output = Format.table,
) -> None:
    """Trace an answer or release down to its training rows, or a row up to what learnt from it."""
    from clm.views.lineage import render, trace

    with here.database.read() as session:
        named = here.model(model) if id_.startswith("v") else model
        found = trace(session, here.settings, here.store, id_, named)
    show(found, output, lambda: typer.echo(render(found)))
