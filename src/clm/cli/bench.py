"""`clm bench NAME`: one command per benchmark, made from its options. The work is done by a process of its own."""

import inspect
import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from clm.bench.catalogue import BENCHMARKS, Benchmark
from clm.bench.options import flag
from clm.errors import unknown_name


class _Known(TyperGroup):
    """Answers an unknown name with the known ones."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is None:
            raise unknown_name("benchmark", cmd_name, list(BENCHMARKS))
        return command


app = typer.Typer(
    cls=_Known,
    no_args_is_help=True,
    help="Measure. Each benchmark shows its progress, then prints one JSON line.",
)
_JSON = inspect.Parameter(
    "json",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[Path | None, typer.Option("--json", help="Write the result to this file too.")],
)


def _command(name: str, benchmark: Benchmark) -> Any:
    def run(**given: Any) -> None:
        _measure(name, benchmark, given)

    parameters = [*map(_parameter, fields(benchmark.options)), _JSON]
    run.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = benchmark.question
    return run


def _parameter(field: Any) -> inspect.Parameter:
    """The command line's option for a field of a benchmark's options; a list is written with commas."""
    default, kind, shown = field.default, field.type, field.metadata["help"]
    if isinstance(default, tuple):
        default, kind, shown = ",".join(map(str, default)), str, f"{shown}, with commas"
    bound = field.metadata["minimum"] if kind in (int, float) else None
    option = typer.Option(flag(field.name), help=shown, min=bound)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def _measure(name: str, benchmark: Benchmark, given: dict[str, Any]) -> None:
    file: Path | None = given.pop("json")
    options = benchmark.options.read(given)  # a wrong value is told at once
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    # The terminal is the child's too, for its progress; it dies with this process.
    command = [sys.executable, "-P", "-m", "clm.core.child", str(os.getpid()), "clm.bench"]
    done = subprocess.run([*command, name, json.dumps(options.plain())], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
    if file is not None:
        file.write_text(done.stdout, encoding="utf-8")
    typer.echo(done.stdout, nl=False)


for _name, _benchmark in BENCHMARKS.items():
    app.command(_name)(_command(_name, _benchmark))
