"""What a test is (it starts a process, owns a port, drives a browser) follows from the fixtures that it uses."""

import re

from tree import files, name

BY_HAND = re.compile(r"mark\.(process|browser|xdist_group)\b")
FREE = {"tests/conftest.py", "tests/unit/jobs/test_jobs_runners.py"}  # gives them; a parameter has no fixtures


def test_marks_are_given_by_fixtures() -> None:
    tests = [path for path in files(".py") if name(path).startswith("tests/")]
    assert len(tests) > 150
    assert {name(path) for path in tests if BY_HAND.search(path.read_text())} <= FREE
