"""Rules that a reader of the files could check by hand: sizes, numbering, words that have no place here."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from tree import ROOT, files, name

LONGEST = {".py": 300, ".tsx": 200}
GENERATED = ("src/clm/migrations/versions/",)
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "numpy.core.multiarray"}
UNSAFE_TRUTHS = {"trust_remote_code", "allow_pickle"}
# In two parts each, so that this file is not its own first finding.
MACHINE_PARTS = [
    ("/wo", "rk/"),
    ("/opt/", "pypi"),
    ("/opt/", "wheels"),
    ("/ro", "ot/"),
    ("/etc/", "xdg/pip"),
    ("/home/", "runner"),
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("npmjs", ".org"),
    ("npmjs", ".com"),
    ("download.", "pytorch"),
    ("deb.", "debian"),
]
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
BINARY = (".png", ".ico", ".woff2", ".parquet", ".safetensors", ".gz")


@pytest.mark.parametrize("ending", LONGEST)
def test_files_fit_in_a_readers_head(ending: str) -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in files(ending)}
    too_long = {
        path: lines for path, lines in lengths.items() if lines > LONGEST[ending] and not path.startswith(GENERATED)
    }
    assert not too_long, f"split these, {LONGEST[ending]} lines is the most: {too_long}"


def test_most_files_are_short() -> None:
    lengths = [len(path.read_text().splitlines()) for path in files(".py") if name(path).startswith("src/clm/")]
    assert statistics.median(lengths) <= 100


def unsafe_code(code: str) -> Iterator[str]:
    """What could run code that comes with data: unpickling in any form, and remote code of models."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (f"import {alias.name}" for alias in node.names if alias.name.split(".")[0] in UNSAFE_MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNSAFE_MODULES:
            yield f"from {node.module} import …"
        elif isinstance(node, ast.Call):
            if (called := ast.unparse(node.func)) in UNSAFE_CALLS:
                yield f"{called}(…)"
            for keyword in node.keywords:
                if keyword.arg in UNSAFE_TRUTHS and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                ):
                    yield f"{keyword.arg}={ast.unparse(keyword.value)}"


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "def f(p):\n    import torch\n    return torch.load(p, weights_only=True)",
        "AutoModel.from_pretrained(p, trust_remote_code=True)",
        "AutoModel.from_pretrained(p, trust_remote_code=trusted)",
        "numpy.load(p, allow_pickle=True)",
        "yaml.load(text)",
    ],
)
def test_unsafe_code_is_recognised(code: str) -> None:
    assert list(unsafe_code(code))


def test_safe_code_is_left_alone() -> None:
    assert not list(unsafe_code("load_file(p)\nf(trust_remote_code=False)\nyaml.safe_load(t)\nx = 'torch.load'"))


def test_nothing_that_we_ship_unpickles_or_runs_remote_code() -> None:
    shipped = [path for path in files(".py") if not name(path).startswith("tests/")]
    found = {name(path): unsafe for path in shipped if (unsafe := list(unsafe_code(path.read_text())))}
    assert len(shipped) > 50
    assert not found


def lines_with(path: Path, pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name(path)}:{number}: {line.strip()[:100]}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_the_machine_it_was_written_on() -> None:
    pattern = re.compile("|".join(re.escape(first + second) for first, second in MACHINE_PARTS))
    assert pattern.search("see /wo" + "rk/here")
    text = [path for path in files() if not path.name.endswith(BINARY)]
    assert not [line for path in text for line in lines_with(path, pattern)]


def test_nothing_is_left_to_be_done() -> None:
    code = [path for path in files(".py", ".ts", ".tsx") if "frontend/api/" not in name(path)]
    assert not [line for path in code for line in lines_with(path, UNFINISHED)]


def test_decisions_are_numbered_without_gaps_and_say_why() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").iterdir())
    assert [path.name[:5] for path in decisions] == [f"{number:04d}-" for number in range(1, len(decisions) + 1)]
    for path in decisions:
        text = path.read_text()
        assert re.fullmatch(r"\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md", path.name)
        assert text.startswith(f"# {int(path.name[:4])}. "), f"{path.name} must begin with its number and its title"
        for part in ("Status: ", "## Context", "## Decision", "## Consequences"):
            assert part in text, f"{path.name} has no {part!r}"
