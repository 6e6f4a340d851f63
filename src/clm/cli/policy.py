"""`clm model policy`: what an operator decided for a model, shown, changed and compared."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clm.cli.api import part
from clm.cli.context import here
from clm.cli.output import Format, Output, show, show_rows, to_seconds

if TYPE_CHECKING:
    from clm.records import Json


def policy(
    name: Annotated[str | None, typer.Argument(help="A model; may be left out where there is one only.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Such as training.rank=8; can be repeated.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="YAML with the whole policy: what it leaves out is the default.", exists=True)
    ] = None,
    edit: Annotated[bool, typer.Option("--edit", help="Open the policy in $EDITOR.")] = False,
    diff: Annotated[str | None, typer.Option(help="Only what is not as in `defaults`, or as at a revision.")] = None,
    revision: Annotated[int | None, typer.Option(help="Show it as it was then.")] = None,
    history: Annotated[bool, typer.Option("--history", help="List the revisions.")] = False,
    if_match: Annotated[int | None, typer.Option(help="Change it only if it still is at this revision.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", "-r", help="Goes into the audit.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    output: Output = Format.table,
) -> None:
    """Show a model's policy, or change it: the next update that is started uses it."""
    from clm.errors import InvalidInput

    name = here.model(name)
    ways = [bool(set_), file is not None, edit, diff is not None, history]
    if sum(ways) > 1:
        raise InvalidInput("Choose one of --set, --file, --edit, --diff and --history.")
    if set_ or file or edit:
        _change(name, set_, file, if_match, reason, dry_run, output)
    elif history:
        _history(name, output)
    else:
        _show(name, diff, revision, output)


def _show(name: str, diff: str | None, revision: int | None, output: Format) -> None:
    against = None if diff in (None, "defaults") else _number(diff)
    shown = here.api.get(f"/models/{part(name)}/policy", revision=revision, against=against)
    if diff is not None:
        _tell(shown["changed"], output, f"The policy of {name} is the same.")
        return
    typer.echo(
        f"# {name}, revision {shown['revision']}; what is not the default: clm model policy {name} --diff defaults",
        err=True,
    )
    show(shown["policy"], output, lambda: typer.echo(_as_yaml(shown["policy"]), nl=False))


def _change(
    name: str, set_: list[str] | None, file: Path | None, seen: int | None, reason: str | None, dry_run: bool,
    output: Format,
) -> None:  # fmt: skip
    from clm.catalog.policy import assignments

    if set_:
        values: Json | None = assignments(set_)
    elif file:
        values = read_yaml(file.read_text(encoding="utf-8"), str(file))
    else:
        values, seen = _edited(name)
    if values is None:
        typer.echo("Nothing was saved; the policy stays as it is.")
        return
    send = here.api.patch if set_ else here.api.put
    edited = send(f"/models/{part(name)}/policy", values, seen=seen, dry_run=dry_run, reason=reason)
    _tell(edited["changed"], output, f"The policy of {name} is so already.")
    if edited["changed"]:
        number = edited["revision"]
        said = f"Would be revision {number}." if dry_run else f"Is revision {number}: the next update started uses it."
        typer.echo(said, err=True)


def _edited(name: str) -> "tuple[Json | None, int]":
    seen = here.api.get(f"/models/{part(name)}/policy")
    text = _as_yaml(seen["policy"])
    said = _in_editor(text)
    return (None if said == text else read_yaml(said, "what was saved")), seen["revision"]


def _in_editor(text: str) -> str:
    import os
    import shlex
    import subprocess
    import tempfile

    from clm.errors import InvalidInput

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "policy.yaml")
        file.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*shlex.split(editor), str(file)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise InvalidInput(f"The editor {editor!r} failed ({error}); set $EDITOR, or use --set.") from None
        return file.read_text(encoding="utf-8")


def _history(name: str, output: Format) -> None:
    rows: list[dict[str, Any]] = [
        {"revision": r["revision"], "at": to_seconds(r["created_at"]), "by": r["actor"] or "created",
         "reason": r["reason"]}
        for r in here.api.every(f"/models/{part(name)}/policy/revisions")
    ]  # fmt: skip
    columns = {"revision": "REVISION", "at": "AT", "by": "BY", "reason": "REASON"}
    show_rows(rows, output, columns, f"The policy of {name} was never changed.")


def _tell(changed: "list[Json]", output: Format, nothing: str) -> None:
    columns = {"setting": "SETTING", "before": "BEFORE", "after": "AFTER"}
    show_rows(changed, output, columns, nothing)


def read_yaml(text: str, name: str) -> "Json":
    """The settings in a policy's text. Raises InvalidInput where it is no YAML mapping."""
    import yaml

    from clm.errors import InvalidInput

    try:
        values: object = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise InvalidInput(f"{name} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise InvalidInput(f"{name} holds no settings; see config/policy.yaml.")
    return values  # pyright: ignore[reportUnknownVariableType]


def _as_yaml(policy: "Json") -> str:
    import yaml

    return yaml.safe_dump(policy, sort_keys=False, allow_unicode=True)


def _number(text: str | None) -> int:
    from clm.errors import InvalidInput

    if text is None or not (text.isascii() and text.isdigit()):
        raise InvalidInput(f"--diff takes `defaults` or a revision's number, not {text!r}.", field="diff")
    return int(text)
