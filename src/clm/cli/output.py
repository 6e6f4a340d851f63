"""How commands answer: a table for people, JSON or YAML for programs."""

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

Rows = Sequence[dict[str, Any]]


class Format(StrEnum):
    table = "table"
    json = "json"
    yaml = "yaml"


Output = Annotated[Format, typer.Option("--output", "-o", help="table for people, json or yaml for programs")]


def show(value: Any, output: Format, table: Callable[[], None]) -> None:
    """Prints `value` as asked; `table` prints it for people."""
    if output is Format.json:
        typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
    elif output is Format.yaml:
        import yaml

        typer.echo(
            yaml.safe_dump(json.loads(json.dumps(value, default=str)), sort_keys=False, allow_unicode=True), nl=False
        )
    else:
        table()


def show_rows(rows: Rows, output: Format, columns: dict[str, str], empty: str) -> None:
    """`columns` maps keys to headings; `empty` is the sentence for no rows."""

    def table() -> None:
        if not rows:
            typer.echo(empty)
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table

        grid = Table(*columns.values(), box=box.SIMPLE, header_style="bold", pad_edge=False)
        for row in rows:
            grid.add_row(*(_cell(row.get(key)) for key in columns))
        Console().print(grid)

    show(list(rows), output, table)


def show_fields(value: dict[str, Any], output: Format) -> None:
    def table() -> None:
        width = max((len(key) for key in value), default=0)
        for key, item in value.items():
            typer.echo(f"{key.replace('_', ' '):<{width}}  {_cell(item)}")

    show(value, output, table)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
