"""Answers that were given once: what keeps the cost of an update from growing with the number of tasks.

One SQLite file per base and version of CLM (another version may decode otherwise). An answer is named by who gave it,
to what, and how long it could get, so an old task under a new release costs only the prompts whose route changed.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import clm
from clm.core.hashing import sha256_json
from clm.llm.points import Point
from clm.records import BASE

Features = NDArray[np.float32]  # one prompt's, see clm.llm.router

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS likelihoods (key TEXT PRIMARY KEY, mean_log_likelihood REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
"""
_AT_ONCE = 500  # keys in one statement


def answer_key(expert_hash: str | None, prompt_hash: str, max_new_tokens: int) -> str:
    return sha256_json([expert_hash or BASE, prompt_hash, max_new_tokens])


def likelihood_key(expert_hash: str | None, content_hash: str) -> str:
    return sha256_json([expert_hash or BASE, content_hash])


def features_key(point: Point | None, prompt_hash: str) -> str:
    """`point`: where the router reads that asks; None: a router from before there was a choice."""
    return prompt_hash if point is None else sha256_json([prompt_hash, point.plain()])


class AnswerStore:
    """Safe to use from several processes at once; what was saved once is never overwritten."""

    def __init__(self, folder: Path, base_hash: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(folder / f"{base_hash}-{clm.__version__}.db", timeout=30)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")  # a lost answer is only given again
        self._connection.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def answers(self, keys: Iterable[str]) -> dict[str, str]:
        return self._find("SELECT key, text FROM answers", keys)

    def save_answers(self, answers: Mapping[str, str]) -> None:
        self._save("INSERT OR IGNORE INTO answers VALUES (?, ?)", answers)

    def likelihoods(self, keys: Iterable[str]) -> dict[str, float]:
        return self._find("SELECT key, mean_log_likelihood FROM likelihoods", keys)

    def save_likelihoods(self, likelihoods: Mapping[str, float]) -> None:
        self._save("INSERT OR IGNORE INTO likelihoods VALUES (?, ?)", likelihoods)

    def features(self, keys: Iterable[str]) -> dict[str, Features]:
        vectors = self._find("SELECT key, vector FROM features", keys)
        return {key: np.frombuffer(vector, np.float32) for key, vector in vectors.items()}

    def save_features(self, features: Mapping[str, Features]) -> None:
        packed = {key: vector.astype(np.float32).tobytes() for key, vector in features.items()}
        self._save("INSERT OR IGNORE INTO features VALUES (?, ?)", packed)

    def _find(self, select: str, keys: Iterable[str]) -> dict[str, Any]:
        wanted = sorted(set(keys))
        rows: dict[str, Any] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            rows.update(self._connection.execute(f"{select} WHERE key IN ({marks})", part).fetchall())
        return rows

    def _save(self, insert: str, values: Mapping[str, Any]) -> None:
        rows: Sequence[tuple[str, Any]] = list(values.items())
        with self._connection:
            self._connection.executemany(insert, rows)
