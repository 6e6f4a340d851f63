"""Public data sets as rows for ingestion. They lie beside the project, never in it; where absent, tests skip."""

import csv
import gzip
import json
import random
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
Rows = list[dict[str, str]]


def intent_tasks(train: int, held_out: int) -> dict[str, tuple[Rows, Rows]]:
    """Banking77, CLINC150 and Bitext intents: per task `train` rows and `held_out` rows, drawn with a fixed seed."""
    if not DATA.is_dir():
        pytest.skip("the public data sets are not beside the project (../shared/data)")
    banking = (
        _csv(DATA / "banking77/train.csv.gz", "text", "category"),
        _csv(DATA / "banking77/test.csv", "text", "category"),
    )
    clinc = json.loads(gzip.decompress((DATA / "clinc150/data_full.json.gz").read_bytes()))
    bitext = (
        _csv(DATA / "bitext_support/train.csv.gz", "utterance", "intent"),
        _csv(DATA / "bitext_support/test.csv", "utterance", "intent"),
    )
    asked = {
        "banking": ("A customer of a bank writes: {} What is it about?", *banking),
        "assistant": ("Somebody tells a voice assistant: {} What does it have to do?", clinc["train"], clinc["test"]),
        "shop": ("A shop's customer says: {} What does the customer want?", *bitext),
    }
    return {
        name: (_draw(train, train_rows, wording), _draw(held_out, test_rows, wording))
        for name, (wording, train_rows, test_rows) in asked.items()
    }


def _csv(path: Path, text: str, label: str) -> list[tuple[str, str]]:
    raw = path.read_bytes()
    content = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return [(row[text], row[label]) for row in csv.DictReader(content.splitlines())]


def _draw(count: int, rows: list[tuple[str, str]], wording: str) -> Rows:
    drawn = random.Random(7).sample(rows, count)
    return [{"prompt": wording.format(text), "completion": label.replace("_", " ")} for text, label in drawn]
