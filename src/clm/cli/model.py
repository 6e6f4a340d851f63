from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clm.cli.context import here
from clm.cli.output import Format, Output, show_fields, show_rows
from clm.cli.policy import policy as policy_command
from clm.cli.policy import read_yaml

if TYPE_CHECKING:
    from clm.policies import ModelPolicy

app = typer.Typer(help="Models: what is kept current.", no_args_is_help=True)
app.command("policy")(policy_command)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Such as support-assistant.")],
    base: Annotated[
        str, typer.Option(help="smollm2-135m-instruct, a Hugging Face model folder, or a hub id.")
    ] = "smollm2-135m-instruct",
    policy: Annotated[Path | None, typer.Option(help="YAML file, see config/policy.yaml.", exists=True)] = None,
    output: Output = Format.table,
) -> None:
    """Create a model from a base. Its first release is the base alone, and serves at once."""
    from clm.stages.first_release import create_model

    rules = _read_policy(policy)
    typer.echo(f"Importing {base} …", err=True)
    release = create_model(here.installation, here.caller, name=name, base=base, policy=rules)
    show_fields(
        {"model": name, "base": base, "release": f"v{release.number}", "release_id": release.release_id}, output
    )


@app.command("list")
def list_(output: Output = Format.table) -> None:
    """List the models."""
    from clm.catalog import service

    with here.database.read() as session:
        rows: list[dict[str, Any]] = [
            {"name": m.name, "base": m.base_reference, "tasks": len(service.list_tasks(session, m.name)),
             "created": m.created_at.isoformat(timespec="seconds")}
            for m in service.list_models(session)
        ]  # fmt: skip
    show_rows(rows, output, {"name": "MODEL", "base": "BASE", "tasks": "TASKS", "created": "CREATED"},
              "No model yet. `clm model create NAME` makes one.")  # fmt: skip


@app.command()
def show(name: Annotated[str | None, typer.Argument()] = None, output: Output = Format.table) -> None:
    """Show a model: base, policy, tasks."""
    from clm.catalog import service

    name = here.model(name)
    with here.database.read() as session:
        row = service.get_model(session, name)
        tasks = [t.name for t in service.list_tasks(session, name)]
    show_fields({"name": name, "base": row.base_reference, "base_hash": row.base_hash, "tasks": tasks,
                 "policy": row.policy}, output)  # fmt: skip


def _read_policy(file: Path | None) -> "ModelPolicy":
    from clm.catalog.policy import parse

    return parse(read_yaml(file.read_text(encoding="utf-8"), str(file)) if file else {})
