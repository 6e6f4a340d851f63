"""Whatever the audit keeps can be told in words."""

import ast
from pathlib import Path
from typing import get_args

import clm
from clm.deployment.rollout import Event
from clm.records import UPDATE_ENDED
from clm.views import service

# What is put together where it is written down, by the kind it begins with.
PUT_TOGETHER = {
    "rollout": list(get_args(Event)),
    "update": list(UPDATE_ENDED),
    "batch": ["commit", "refuse", "release", "discard"],
    "data": ["drop", "undrop"],
    "suite": ["drop", "undrop"],
    "deployment": ["rollback"],
}


def written() -> set[str]:
    """Actions that stand in the source as they are."""
    found: set[str] = set()
    for file in Path(clm.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "audit":
                action = node.args[2]
                if isinstance(action, ast.Constant):
                    found.add(str(action.value))
    return found


def test_every_action_has_its_words() -> None:
    actions = written() | {f"{kind}.{verb}" for kind, verbs in PUT_TOGETHER.items() for verb in verbs}
    assert len(actions) > 25
    assert actions <= service.SAYS.keys(), actions - service.SAYS.keys()
