from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from clm.cli.context import here
from clm.cli.output import Format, Output, show_fields

export_app = typer.Typer(help="Export descriptions for other programs.", no_args_is_help=True)


def up() -> None:
    """Start API, worker, gateway, engine and dashboard as one process tree; Ctrl-C stops them all."""
    from clm.processes.supervisor import Supervisor, run_until_stopped

    here.installation.database.close()  # opened and migrated before the services start
    supervisor = Supervisor(here.settings, say=typer.echo)

    def on_ready() -> None:
        typer.echo(f"Dashboard  {supervisor.settings.api_url}\nOpenAI API {supervisor.settings.gateway_url}/v1\n"
                   "Ctrl-C stops everything.")  # fmt: skip

    run_until_stopped(supervisor, on_ready)
    typer.echo("Stopped.")


def status(output: Output = Format.table) -> None:
    """Show what runs on this home. Exit code 1: nothing does."""
    from clm.core.running import read_state

    state = read_state(here.settings.paths)
    if state is None:
        typer.echo(f"Nothing runs on {here.settings.home}. `clm up` starts everything.")
        raise typer.Exit(1)
    fields: dict[str, Any] = {"home": str(here.settings.home), "since": state["at"], **state["services"]}
    show_fields(fields, output)


def run_alone(name: str) -> Callable[[], None]:
    def run() -> None:
        import runpy

        from clm.processes.services import SERVICES

        module = next(service.module for service in SERVICES if service.name == name)
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    return run


def demo(
    serve: Annotated[bool, typer.Option(help="Keep the dashboard open at the end.")] = True,
    report: Annotated[Path | None, typer.Option(help="Write what happened to this JSON file.")] = None,
) -> None:
    """Play the whole story on a real language model, live in the dashboard."""
    from clm.demo.story import play

    raise typer.Exit(play(here.installation, here.caller, serve=serve, report=report))


@export_app.command()
def openapi() -> None:
    """Print the API's OpenAPI description."""
    import json

    from clm.app import create_app

    typer.echo(json.dumps(create_app(here.installation).openapi(), indent=2, sort_keys=True))
