"""The list of mutants fits the code and the tests as they are; `make mutants` runs it."""

import ast
import re
from pathlib import Path

import pytest
import run

from clm import __version__
from mutants import MUTANTS, ROOT, Mutant

TEST = re.compile(r"[\w/]+\.py(::(?P<name>test_\w+)(\[.+\])?)?")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_fault_has_its_place_and_its_tests(mutant: Mutant) -> None:
    compile(mutant.applied(), mutant.file, "exec")
    assert mutant.text != mutant.instead
    assert mutant.tests
    for test in mutant.tests:
        found = TEST.fullmatch(test)
        assert found, test
        names = functions(ROOT / "tests" / test.partition("::")[0])
        assert found["name"] in names if found["name"] else names, test


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_fault_is_another_one() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(mutant.file, mutant.text, mutant.instead) for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("times", [0, 2])
def test_a_text_that_is_not_there_once_is_broken(times: int) -> None:
    text = {0: "no such text anywhere", 2: "import"}[times]
    outcome, why = run.try_mutant(Mutant("A fault", "core/files.py", text, "", ("unit/core/test_core_files.py",)))
    assert outcome == "broken" and "and not once" in why


def test_a_fault_that_is_no_code_is_broken() -> None:
    fault = Mutant("A fault", "__init__.py", f'"{__version__}"', "(", ("unit/core/test_core_files.py",))
    assert run.try_mutant(fault)[0] == "broken"


SPELT = '<testsuites><testsuite><testcase classname="tests.test_x" name="test_y">{}</testcase></testsuite></testsuites>'


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("", "survived"),
        ("<failure message='assert 1 == 2'/>", "caught"),
        ("<failure message='Failed: DID NOT RAISE'/>", "caught"),
        ("<failure message='NameError: name x is not defined'/>", "broken"),
        ("<error message='failed on setup'/>", "broken"),
        ("<skipped message='no browser'/>", "broken"),
    ],
)
def test_only_a_test_that_fails_for_a_reason_catches(tmp_path: Path, said: str, outcome: str) -> None:
    report = tmp_path / "report.xml"
    report.write_text(SPELT.format(said))
    assert run.judged(report)[0] == outcome
