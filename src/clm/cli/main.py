"""The command line. Exit codes: 0 done, 1 failed, 2 gate or analysis said no, 3 wrong usage."""

import sys
from typing import Annotated

import typer

from clm.cli import audit, bench, data, model, release, rollout, service, suite, task, update
from clm.errors import ClmError

app = typer.Typer(
    help="CLM keeps a large language model current without letting it forget.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(model.app, name="model")
app.add_typer(task.app, name="task")
app.add_typer(data.app, name="data")
app.add_typer(suite.app, name="suite")
app.add_typer(update.app, name="update")
app.add_typer(release.app, name="release")
app.add_typer(rollout.app, name="rollout")
app.add_typer(audit.app, name="audit")
app.add_typer(service.export_app, name="export")
app.add_typer(bench.app, name="bench")
app.command("ingest")(data.ingest)
app.command("rollback")(rollout.rollback)
app.command("lineage")(release.lineage)
app.command("up")(service.up)
app.command("status")(service.status)
app.command("demo")(service.demo)
for _name in ("api", "gateway", "engine", "worker"):
    app.command(_name, help=f"Run the {_name} alone, in the foreground.")(service.run_alone(_name))


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False) -> None:
    if version:
        from clm import __version__

        typer.echo(f"clm {__version__}")
        raise typer.Exit


def main() -> None:
    try:
        code = app(standalone_mode=False)
    except ClmError as error:
        where = "".join(f" ({key} {error.details[key]})" for key in ("line", "field") if key in error.details)
        typer.secho(f"{error.title}: {error.sentence}{where}", err=True, fg="red")
        sys.exit(error.exit_code)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        said = getattr(error, "format_message", None)  # a usage error of the command line parser has one
        if said:
            typer.secho(said(), err=True, fg="red")
            typer.echo("`--help` shows what is possible.", err=True)
            sys.exit(3)
        from clm.core.trouble import sentence_of

        sentence = sentence_of(error)
        if sentence is None:
            raise
        typer.secho(sentence, err=True, fg="red")
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
