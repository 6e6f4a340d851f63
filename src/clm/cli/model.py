from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clm.cli.api import part
from clm.cli.context import here
from clm.cli.output import Format, Output, show_fields, show_rows, to_seconds
from clm.cli.policy import policy as policy_command
from clm.cli.policy import read_yaml

if TYPE_CHECKING:
    from clm.records import Json

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
    from clm.cli.operations import follow

    body = {"name": name, "base": _where(base), "policy": _read_policy(policy)}
    follow(here.api.post("/models", body))
    release = here.api.get(f"/releases/{here.api.get(f'/deployments/{part(name)}')['champion']}")
    show_fields(
        {"model": name, "base": base, "release": f"v{release['number']}", "release_id": release["release_id"]}, output
    )


def _where(base: str) -> str:
    """A folder by its whole path, for whoever imports it works in another folder."""
    return str(Path(base).resolve()) if Path(base).exists() else base


@app.command("list")
def list_(output: Output = Format.table) -> None:
    """List the models."""
    rows: list[dict[str, Any]] = [
        {"name": m["name"], "base": m["base_reference"], "tasks": len(m["tasks"]),
         "created": to_seconds(m["created_at"])}
        for m in here.api.every("/models")
    ]  # fmt: skip
    show_rows(rows, output, {"name": "MODEL", "base": "BASE", "tasks": "TASKS", "created": "CREATED"},
              "No model yet. `clm model create NAME` makes one.")  # fmt: skip


@app.command()
def show(name: Annotated[str | None, typer.Argument()] = None, output: Output = Format.table) -> None:
    """Show a model: base, policy, tasks."""
    model = here.api.get(f"/models/{part(here.model(name))}")
    show_fields({"name": model["name"], "base": model["base_reference"], "base_hash": model["base_hash"],
                 "tasks": [task["name"] for task in model["tasks"]], "policy": model["policy"]}, output)  # fmt: skip


def _read_policy(file: Path | None) -> "Json":
    """The whole policy, checked before anything long begins."""
    from clm.catalog.policy import parse

    return parse(read_yaml(file.read_text(encoding="utf-8"), str(file)) if file else {}).model_dump(mode="json")
