"""Queries are written in repositories, and only boundaries commit."""

import ast
from pathlib import Path

from tree import files, name

QUERIES = {"select", "insert", "update", "delete"}
COMMITS = {"commit", "begin_nested"}
# The session, the outbox and the keys of requests are the ground itself; and schema changes.
FREE = ("src/clm/core/", "src/clm/migrations/")


def _sources() -> list[Path]:
    return [path for path in files(".py") if name(path).startswith("src/clm/") and not name(path).startswith(FREE)]


def _from_sqlalchemy(tree: ast.AST) -> set[str]:
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy"
        for alias in node.names
    }


def test_queries_are_written_in_repositories() -> None:
    elsewhere = {
        name(path): sorted(asked)
        for path in _sources()
        if path.name != "repository.py" and (asked := QUERIES & _from_sqlalchemy(ast.parse(path.read_text())))
    }
    assert not elsewhere, "move these queries to their room's repository.py"


def test_nobody_commits_but_the_session_s_own_boundary() -> None:
    committing = {
        name(path): node.lineno
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in COMMITS
    }
    assert not committing, "a transaction ends where `database.transaction()` was opened"


def test_the_command_line_opens_no_database() -> None:
    """It asks the API; only a rollback may do without (see clm.cli.rollout)."""
    opening = {
        (name(path), node.lineno)
        for path in _sources()
        if name(path).startswith("src/clm/cli/")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in ("transaction", "read") and "database" in ast.unparse(node.func.value)
    }
    assert len(opening) == 1 and {file for file, _ in opening} == {"src/clm/cli/rollout.py"}
