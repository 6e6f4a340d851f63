"""How commands answer: a table for people, JSON or YAML for programs."""

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

Rows = Sequence[dict[str, Any]]
Cells = dict[str, list[str]]  # by heading

_TEXT = 16  # columns of the terminal that a text gets at the least
_BETWEEN = 3  # two cells
_WHOLE = 10_000  # columns where there is no terminal


class Format(StrEnum):
    table = "table"
    json = "json"
    yaml = "yaml"


Output = Annotated[Format, typer.Option("--output", "-o", help="table for people, json or yaml for programs")]


def to_seconds(moment: str) -> str:
    """A time as the API tells it, without its fractions."""
    return datetime.fromisoformat(moment).isoformat(timespec="seconds")


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
        cells = {heading: [_cell(row.get(key)) for row in rows] for key, heading in columns.items()}
        _table(cells) if _fits(cells) else _one_below_the_other(cells)

    show(list(rows), output, table)


def _fits(cells: Cells) -> bool:
    """Whether a table has room for what can't be broken, such as ids to be copied, and a little for each text."""
    needed = sum(_TEXT if _is_text(shown) else max(map(len, [heading, *shown])) for heading, shown in cells.items())
    return needed + _BETWEEN * len(cells) <= _width()


def _table(cells: Cells) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    for heading, shown in cells.items():
        grid.add_column(heading, no_wrap=not _is_text(shown), overflow="fold")
    for row in zip(*cells.values(), strict=True):
        grid.add_row(*row)
    Console(width=_width()).print(grid)


def _one_below_the_other(cells: Cells) -> None:
    widest = max(map(len, cells))
    for row in zip(*cells.values(), strict=True):
        typer.echo()
        for heading, cell in zip(cells, row, strict=True):
            typer.echo(f"{heading:<{widest}}  {cell}")
    typer.echo()


def _is_text(shown: list[str]) -> bool:
    return any(" " in cell or "\n" in cell for cell in shown)


def _width() -> int:
    """Of the terminal, or what COLUMNS says; a file or another program has no edge at which lines would break."""
    return shutil.get_terminal_size((_WHOLE, 1)).columns


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
