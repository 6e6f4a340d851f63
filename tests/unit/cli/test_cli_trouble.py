"""What the machine can't do is told in a sentence, whatever command meets it; never as a library's traceback."""

import errno
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from clm.cli import context, main
from clm.core.trouble import sentence_of


@pytest.fixture(autouse=True)
def _each_command_opens_its_own() -> Generator[None]:
    def forget() -> None:
        for name in ("settings", "installation", "api"):
            vars(context.here).pop(name, None)

    forget()
    yield
    forget()


def told(command: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setenv("CLM_HOME", str(home))
    monkeypatch.setattr(sys, "argv", ["clm", *command.split()])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def a_file(home: Path) -> None:
    home.write_text("no folder")


def a_broken_database(home: Path) -> None:
    home.mkdir()
    (home / "clm.db").write_bytes(b"no database at all, " * 100)


@pytest.mark.parametrize("command", ["data versions", "model list", "task add intent", "update list"])
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [(a_file, "a folder"), (a_broken_database, "The database's file is damaged")],
)
def test_a_home_that_can_not_be_used_is_a_sentence(
    command: str, spoil: Callable[[Path], None], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    spoil(tmp_path / "home")
    assert sentence in told(command, tmp_path / "home", monkeypatch, capsys)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/home/x"), "/home/x: The disk is full."),
        (OSError(errno.EROFS, "Read-only file system", "/home/x"), "can only be read"),
        (OperationalError("INSERT", {}, Exception("database is locked")), "The database is busy"),
        (OperationalError("INSERT", {}, Exception("attempt to write a readonly database")), "can only be read"),
        (OperationalError("SELECT", {}, Exception("failed: Connection refused")), "does not answer"),
    ],
)  # fmt: skip
def test_what_a_machine_can_not_do_has_its_words(error: Exception, sentence: str) -> None:
    assert sentence in (sentence_of(error) or "")


@pytest.mark.parametrize("error", [ValueError("database is locked"), OSError("odd"), KeyError("x")])
def test_a_mistake_of_ours_is_none_of_the_machine_s(error: Exception) -> None:
    assert sentence_of(error) is None
