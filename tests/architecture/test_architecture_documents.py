"""What the documents promise exists: commands and their options, make targets, files."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tree import ROOT, files, name
from typer.main import get_command

from browser import chromium
from clm.cli.main import app
from clm.policies import ModelPolicy

README = ROOT / "README.md"
TWO_SCREENS = 110  # lines
DOCUMENTS = [path for path in files(".md") if "frontend" not in path.parts]


def commands_in(text: str) -> Iterator[list[str]]:
    """Every `clm …` in the fenced blocks and code spans of a document, as words; comments are left out."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
        for line in block.splitlines() if language in ("sh", "bash") else ():
            yield from (part for part in shell_commands(line) if part[0] == "clm")
    for span in re.findall(r"`(clm [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        yield from shell_commands(span)


def shell_commands(line: str) -> Iterator[list[str]]:
    for part in re.split(r"&&|\||;", line):
        words = shlex.split(part, comments=True)
        if words:
            yield words


def fault(words: list[str]) -> str | None:
    """What is wrong with a documented command, or None. Values of options and arguments are not looked at."""
    command: Any = get_command(app)
    for at, word in enumerate(words[1:], 1):
        if word.startswith("-") or not hasattr(command, "commands"):
            break
        if word not in command.commands:
            return f"there is no {' '.join(words[: at + 1])!r}"
        command = command.commands[word]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in words if word.startswith("-") and word.split("=")[0] not in known | {"--help", "-h"}]
    return f"{' '.join(words)!r} has unknown options {unknown}" if unknown else None


@pytest.mark.parametrize(
    "words", ["clm modle create x", "clm model creat x", "clm ingest f --taks t", "clm frobnicate"]
)
def test_a_wrong_command_is_noticed(words: str) -> None:
    assert fault(words.split())


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_documented_commands_exist(path: Path) -> None:
    faults = [found for words in commands_in(path.read_text()) if (found := fault(words))]
    assert not faults


def test_the_readme_shows_the_tour() -> None:
    shown = {tuple(word for word in words[:3] if not word.startswith("-")) for words in commands_in(README.read_text())}
    for wanted in (
        ("clm", "up"),
        ("clm", "model", "create"),
        ("clm", "task", "add"),
        ("clm", "ingest", "train.jsonl"),
        ("clm", "update", "start"),
        ("clm", "release", "list"),
        ("clm", "rollback", "assistant"),
    ):
        assert wanted in shown


def test_the_readme_fits_on_two_screens() -> None:
    assert len(README.read_text().splitlines()) <= TWO_SCREENS


def test_links_between_documents_lead_somewhere() -> None:
    dead = [
        f"{name(path)}: {target}"
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert not dead


def test_make_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, flags=re.MULTILINE)
    assert phony
    told = set(re.findall(r"^([a-z-]+):.*## \S", makefile, flags=re.MULTILINE))
    assert set(phony[1].split()) - {"dashboard"} == told
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", README.read_text(), flags=re.MULTILINE):
        assert target in told, f"the README tells of `make {target}`"


def test_ci_runs_the_checks_and_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert "for target in browser check test;" in script and 'make "$target"' in script
    assert "\nmake test " in README.read_text()


def test_every_part_of_a_policy_says_what_it_is() -> None:
    for part in ModelPolicy.model_fields:
        assert f"\n{part}:" in (ROOT / "config" / "policy.yaml").read_text()


def test_without_a_browser_tests_are_skipped_here_and_fail_on_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="make browser"):
        chromium()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="must not skip"):
        chromium()
