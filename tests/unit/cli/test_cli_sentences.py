"""Every command that a sentence of the program names is one that can be typed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

import clm
from clm.cli.main import app

SOURCE = Path(clm.__file__).parent
NAMED = re.compile(r"(?<![\w./-])clm (?=[a-z])([^`\n;:()]*)")
WORD = re.compile(r"[a-z][a-z-]*")
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
PROSE = {"is", "keeps", "itself", "needs", "does", "can", "has", "as"}


def texts(file: Path) -> Iterator[str]:
    """The texts of a module; what is filled in is written X."""
    inside: set[int] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            inside.update(id(part) for part in node.values)
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def wrong_with(said: str) -> str | None:
    """What is wrong with a command as it is written after `clm `; it may be followed by prose."""
    command = typer.main.get_command(app)
    words = said.split()
    path: list[str] = []
    while isinstance(command, TyperGroup):
        word = words[0].rstrip(".,'\"") if words else ""
        named = command.commands.get(word.split("|")[0].split("…")[0])
        if named is None:
            if path and (not WORD.fullmatch(word) or command.invoke_without_command):
                break  # a group alone, or with its commands left open
            return f"{' '.join(['clm', *path])} has no {word!r}"
        command, path, words = named, [*path, word], words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    rest = re.split(r"[.,](?:\s|$)| clm ", " ".join(words))[0]
    for option in OPTION.findall(rest):
        if option not in options | {"--help", "-h"}:
            return f"{' '.join(['clm', *path])} has no option {option}"
    return None


def commands() -> Iterator[tuple[str, str]]:
    for file in sorted(SOURCE.rglob("*.py")):
        for text in texts(file):
            for said in NAMED.findall(text):
                if said.split()[0].rstrip(".,'\"") not in PROSE:
                    yield str(file.relative_to(SOURCE)), said


def test_every_command_that_a_sentence_names_exists_with_its_options() -> None:
    found = list(commands())
    assert len(found) > 50
    assert [(file, said, wrong) for file, said in found if (wrong := wrong_with(said)) is not None] == []


@pytest.mark.parametrize("said", ["update start --remove", "update begin TASK", "data drop ID --suite", "fly"])
def test_a_command_that_there_is_not_is_found(said: str) -> None:
    assert wrong_with(said) is not None
