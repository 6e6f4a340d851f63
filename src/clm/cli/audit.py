from typing import Annotated

import typer

from clm.cli.context import here
from clm.cli.output import Format, Output, show_rows, to_seconds

app = typer.Typer(help="Audit: every change, in a chain that can't be edited unseen.", no_args_is_help=True)


@app.command()
def verify() -> None:
    """Check the whole chain. Exit code 1: it is broken."""
    chain = here.api.post("/audit:verify")
    if not chain["ok"]:
        typer.secho(f"The chain is BROKEN at entry {chain['first_bad']}: {chain['reason']}", err=True, fg="red")
        raise typer.Exit(1)
    typer.echo(f"The chain is whole: {chain['entries']} entries.")


@app.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, max=10000)] = 30, output: Output = Format.table) -> None:
    """List the newest entries."""
    rows = [
        {"sequence": e["sequence"], "at": to_seconds(e["at"]), "actor": e["actor"], "action": e["action"],
         "object": f"{e['object_kind']} {e['object_id']}", "reason": e["reason"]}
        for e in here.api.every("/audit", limit)
    ]  # fmt: skip
    columns = {"sequence": "#", "at": "AT", "actor": "WHO", "action": "WHAT", "object": "OBJECT", "reason": "WHY"}
    show_rows(rows, output, columns, "Nothing has happened yet.")
