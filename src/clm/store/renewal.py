"""Examples whose fact has changed under other prompts only: they get its new answer, or a row that says it stands in.

So the exam of a fact that a named key holds together doesn't shrink when the fact changes. Nothing is written: like
what holds, it is worked out when the tables are read.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

from clm.core.content import completion
from clm.core.hashing import sha256_text
from clm.records import Json, Shape
from clm.store import delta
from clm.store.view import Row, View

ANSWER_FROM = "answer_from"  # record id of the training row that says what the example's answer is now
STANDS_IN = "stands_in"  # True: a training row, asked as recall in an example's place


def renewed(view: View, task: str) -> Iterator[Row]:
    """Labels of what is asked in place of the task's examples that no longer hold.

    An example's new answer is known where all that is taught of its key gives one answer, and gave the example's before
    under another prompt too: then the answer doesn't depend on the prompt. What is asked as recall follows its prompt.
    """
    standing, examined = view.standing(task), view.examined.get(task, [])
    lost = {row["prompt_key"]: row for row in sorted(examined, key=lambda row: (row["event_time"], row["ingested_at"]))
            if row["record_id"] in standing.superseded and row["record_id"] not in view.dropped_examples}  # fmt: skip
    if not lost:
        return
    asked = {row["prompt_key"] for row in examined if row["record_id"] not in standing.superseded}
    taught = sorted((row for row in view.usable(task) if row["record_id"] not in view.dropped),
                    key=lambda row: row["prompt_key"])  # fmt: skip
    of_key, of_prompt = _grouped(taught, "key"), _grouped(taught, "prompt_key")
    said = {(row["key"], row["answer_key"], row["prompt_key"]) for row in [*view.taught(task).to_pylist(), *examined]}
    prompts: dict[tuple[str, str], set[str]] = {}
    for key, answer, prompt in said:
        prompts.setdefault((key, answer), set()).add(prompt)
    for prompt, row in lost.items():
        same = of_prompt.get(prompt, []) if row["kind"] == "recall" else []
        now = same or (of_key.get(row["key"], []) if row["key"] != prompt and prompt not in of_prompt else [])
        if prompt in asked or not now:
            continue
        alike = same or prompts[row["key"], row["answer_key"]] - {prompt}
        if alike and len({one["answer_key"] for one in now}) == 1:
            by = now[0]
            changed = sha256_text(f"{row['content_hash']} {by['content_hash']}")
            yield row | {"answer_key": by["answer_key"], "content_hash": changed, ANSWER_FROM: by["record_id"]}
            continue
        free = next((one for one in now if one["prompt_key"] not in asked), None)
        if free is not None:
            asked.add(free["prompt_key"])
            yield free | {"slice": row["slice"], "kind": "recall", STANDS_IN: True}


def told(rows: Sequence[Row]) -> str:
    """What was done to the examples, as a sentence; empty: nothing."""
    new, other = sum(ANSWER_FROM in row for row in rows), sum(STANDS_IN in row for row in rows)
    said = [f"{new} examples have the new answers of their keys"] if new else []
    said += [f"for {other} whose new answers nobody said, rows of their keys are asked as recall"] if other else []
    return f"The suite changed with its facts: {', '.join(said)}." if said else ""


def with_answers(view: View, task: str, rows: list[Row]) -> list[Row]:
    """The same rows of the suite, with contents that say the answers they have now."""
    sources = {row[ANSWER_FROM] for row in rows if ANSWER_FROM in row}
    if not sources:
        return rows
    taught = delta.read_ids(view.records, ["record_id", "shape", "content"], sources, delta.of_task(task)).to_pylist()
    texts = {row["record_id"]: completion(row["shape"], json.loads(row["content"])) for row in taught}
    return [
        row | {"content": json.dumps(_answered(row["shape"], json.loads(row["content"]), texts[row[ANSWER_FROM]]))}
        if ANSWER_FROM in row else row
        for row in rows
    ]  # fmt: skip


def _answered(shape: Shape, content: Json, text: str) -> Json:
    if shape == "messages":
        return {"messages": [*content["messages"][:-1], content["messages"][-1] | {"content": text}]}
    if shape == "preference":
        return content | {"chosen": text}
    if "choices" in content and text not in content["choices"]:
        content |= {"choices": [text if one == content["completion"] else one for one in content["choices"]]}
    return content | {"completion": text}


def _grouped(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups
