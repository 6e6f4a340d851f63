from typing import Annotated

import typer

from clm.cli.context import here
from clm.cli.output import Format, Output, show_rows

app = typer.Typer(help="Audit: every change, in a chain that can't be edited unseen.", no_args_is_help=True)


@app.command()
def verify() -> None:
    """Check the whole chain. Exit code 1: it is broken."""
    from clm.audit import service

    with here.database.read() as session:
        found = service.verify(session, here.settings.paths)
    if not found.ok:
        typer.secho(f"The chain is BROKEN at entry {found.first_bad}: {found.reason}", err=True, fg="red")
        raise typer.Exit(1)
    typer.echo(f"The chain is whole: {found.entries} entries.")


@app.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, max=10000)] = 30, output: Output = Format.table) -> None:
    """List the newest entries."""
    from clm.audit import repository

    with here.database.read() as session:
        rows = [
            {"sequence": e.sequence, "at": e.at.isoformat(timespec="seconds"), "actor": e.actor, "action": e.action,
             "object": f"{e.object_kind} {e.object_id}", "reason": e.reason}
            for e in repository.page(session, before=None, limit=limit)
        ]  # fmt: skip
    columns = {"sequence": "#", "at": "AT", "actor": "WHO", "action": "WHAT", "object": "OBJECT", "reason": "WHY"}
    show_rows(rows, output, columns, "Nothing has happened yet.")
