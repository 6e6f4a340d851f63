"""What a memory policy wants to know of the rows that were trained on: their losses, or their features."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from clm.core.files import sync_file, sync_folder
from clm.llm.base import Base
from clm.llm.decoder import Expert
from clm.llm.runtime import Runtime
from clm.training.examples import Example, tokenise
from clm.training.routing import task_features

Need = Literal["losses", "features"]
_SCHEMA = pl.Schema({"record_id": pl.String, "loss": pl.Float64, "features": pl.List(pl.Float32)})


def describe_rows(
    base: Base, examples: Sequence[Example], expert: Expert, out: Path, *, need: Need, max_tokens: int
) -> Path:
    """Writes `record_id, loss, features` of each row to the Parquet file `out`, and returns it.

    `loss` is the trained expert's, in mean nats per label token; `features` are the untouched base's, as the router
    sees them. Only what the memory policy goes by (`need`) is measured, the other column is empty.
    """
    columns = {
        "record_id": [e.record_id for e in examples],
        "loss": _losses(base, examples, expert, max_tokens) if need == "losses" else None,
        "features": task_features(base, examples).tolist() if need == "features" else None,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns, schema=_SCHEMA).write_parquet(out)
    sync_file(out)
    sync_folder(out.parent)
    return out


def _losses(base: Base, examples: Sequence[Example], expert: Expert, max_tokens: int) -> list[float]:
    runtime = Runtime(base)
    runtime.experts["trained"] = expert
    longest = min(max_tokens, base.model.config.max_positions - 1)
    rows = [(row.ids, row.labels) for row in tokenise(base.tokenizer, examples, longest)]
    return (-runtime.log_likelihood(rows, "trained")).tolist()
