"""A sequence of data sets as tasks: public ones by name, or folders with `train.jsonl` and `test.jsonl`.

Rows are `{"prompt", "completion"}`. Development rows come out of the published training rows, for the published
development files of several sets are their test files. Draws depend on seed and data set alone, and a smaller draw is
the beginning of a larger one.
"""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clm.bench.public_sets import GROUPS, SETS, Pool, Row
from clm.bench.reading import folder_ignoring_case, read_json_lines
from clm.errors import InvalidInput, NotFound, unknown_name

ROWS_PER_LABEL = 4  # a folder whose completions repeat at least so often on average has labels


@dataclass(frozen=True)
class BenchTask:
    name: str  # as its publishers write it; `clinc150:travel` for a part of a data set
    train: list[Row]
    dev: list[Row]
    test: list[Row]
    labels: tuple[str, ...] | None  # None: answers are free


def load_sequence(data: Path, names: Sequence[str], train: int, test: int, seed: int, dev: int = 0) -> list[BenchTask]:
    """The tasks of a sequence with so many rows each, balanced over labels as far as the data goes.

    No prompt stands in the training or development rows of any task and in the test rows of any other. Raises NotFound
    for a missing folder or an unknown name, InvalidInput for a name given twice or a data set with too few rows.
    """
    _check(data, train, test, dev)
    return _tasks(_pools(data, names), train, test, seed, dev)


def load_deliveries(data: Path, name: str, deliveries: int, train: int, test: int, seed: int) -> list[BenchTask]:
    """One data set's classes in so many deliveries, as they are published, with so many rows each.

    A set with parts comes whole, part after part. Raises InvalidInput for a set without classes or with too few, and
    what `load_sequence` raises.
    """
    _check(data, train, test, 0)
    pools = list(_pools(data, [name]).values())
    labels = [label for pool in pools for label in pool.labels or ()]
    if len(labels) < deliveries or not all(pool.labels for pool in pools):
        raise InvalidInput(f"{name} has {len(labels)} classes, which can't come in {deliveries} deliveries.")
    given: dict[str, Pool] = {}
    for number in range(deliveries):
        share = labels[len(labels) * number // deliveries : len(labels) * (number + 1) // deliveries]
        rows = [
            [row for pool in pools for row in part(pool) if row["completion"] in share]
            for part in (lambda pool: pool.train, lambda pool: pool.test)
        ]
        given[f"{name} {number + 1}"] = Pool(rows[0], rows[1], tuple(share))
    return _tasks(given, train, test, seed, 0)


def _check(data: Path, train: int, test: int, dev: int) -> None:
    if not data.is_dir():
        raise NotFound(f"There is no folder {data}. Name the one that holds the data sets with --data DIR.")
    if train < 1 or test < 1 or dev < 0:
        raise InvalidInput("A task needs at least one row for training and one for the test.")


def _tasks(pools: Mapping[str, Pool], train: int, test: int, seed: int, dev: int) -> list[BenchTask]:
    held_out = {row["prompt"] for pool in pools.values() for row in pool.test}
    tasks: list[BenchTask] = []
    for name, pool in pools.items():
        learnable = _unlike([row for row in pool.train if row["prompt"] not in held_out])
        tested = _draw(_unlike(pool.test), test, f"{seed}/{name}/test", pool.labels is not None)
        drawn = _draw(learnable, train + dev, f"{seed}/{name}/train", pool.labels is not None)
        for what, there, asked in (("test", len(tested), test), ("train", len(drawn), train + dev)):
            if there < asked:
                option = "--test" if what == "test" else "--train"
                raise InvalidInput(f"{name} has {there} {what} rows, and {asked} are asked for. Lower {option}.")
        tasks.append(BenchTask(name, drawn[:train], drawn[train:], tested, pool.labels))
    return tasks


def known_names(data: Path) -> list[str]:
    """What `load_sequence` takes: public sets and their parts, and the folders in `data`."""
    own = [path.name for path in sorted(data.iterdir()) if (path / "train.jsonl").is_file()] if data.is_dir() else []
    return [*SETS, *(name for name in GROUPS if name not in SETS), *own]


def _pools(data: Path, names: Sequence[str]) -> dict[str, Pool]:
    """All rows of each task, by its proper name; sets with parts are expanded."""
    pools: dict[str, Pool] = {}
    for name in names:
        for proper, pool in _find(data, name.strip()).items():
            if proper in pools:
                raise InvalidInput(f"The sequence names {proper} twice.")
            pools[proper] = pool
    if not pools:
        raise InvalidInput(f"The sequence is empty. Known data sets: {', '.join(known_names(data))}.")
    return pools


def _find(data: Path, name: str) -> Mapping[str, Pool]:
    own = folder_ignoring_case(data, name)
    if own is not None and (own / "train.jsonl").is_file():
        return {own.name: _read_folder(own)}
    whole, _, part = name.partition(":")
    for proper, read in SETS.items():
        if proper.lower() == name.lower():
            return {proper: read(data)}
    for proper, read_parts in GROUPS.items():
        if proper.lower() == whole.lower():
            parts = {f"{proper}:{key}": pool for key, pool in read_parts(data).items()}
            if not part:
                return parts
            for key, pool in parts.items():
                if key.lower() == name.lower():
                    return {key: pool}
            raise unknown_name("data set", name, list(parts))
    raise unknown_name("data set", name, known_names(data))


def _read_folder(folder: Path) -> Pool:
    rows: dict[str, list[Row]] = {}
    for split in ("train", "test"):
        file = folder / f"{split}.jsonl"
        if not file.is_file():
            raise NotFound(f"There is no {file}. A data set's folder holds train.jsonl and test.jsonl.")
        rows[split] = [_own_row(row, file, line) for line, row in read_json_lines(file)]
    answers = Counter(row["completion"] for row in rows["train"])
    repeated = len(answers) * ROWS_PER_LABEL <= len(rows["train"])
    return Pool(rows["train"], rows["test"], tuple(sorted(answers)) if repeated else None)


def _own_row(row: object, file: Path, line: int) -> Row:
    if isinstance(row, dict):
        kept = {key: str(row[key]) for key in ("prompt", "completion") if isinstance(row.get(key), str | int | float)}
        if len(kept) == 2 and all(kept.values()):
            return kept
    raise InvalidInput(
        f'Line {line} of {file.name} is no row: write {{"prompt": …, "completion": …}}, and found '
        f"{json.dumps(row, ensure_ascii=False)[:80]}."
    )


def _unlike(rows: Sequence[Row]) -> list[Row]:
    """The first row of each prompt."""
    return list({row["prompt"]: row for row in reversed(rows)}.values())[::-1]


def _draw(rows: Sequence[Row], count: int, seed: str, by_label: bool) -> list[Row]:
    """At most `count` rows in random order; by label, one of each in turn."""
    order = random.Random(seed)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["completion"] if by_label else "", []).append(row)
    waiting = [groups[label] for label in sorted(groups)]
    for group in waiting:
        order.shuffle(group)
    drawn: list[Row] = []
    while waiting and len(drawn) < count:
        order.shuffle(waiting)
        drawn += [group.pop() for group in waiting]
        waiting = [group for group in waiting if group]
    return drawn[:count]
