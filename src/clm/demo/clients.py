"""Clients of the demo: they chat with the gateway as an application would, and remember what became of each request."""

import itertools
import threading
import time
from dataclasses import dataclass, field

import httpx

CLIENTS = 8  # talk at the same time
MAX_TOKENS = 32
RATED = 3  # every third answer gets feedback


@dataclass
class Seen:
    """One answered request."""

    at: float  # monotonic seconds when it was asked
    release: str
    record_id: str
    task: str
    correct: bool


@dataclass
class Tally:
    answers: list[Seen] = field(default_factory=list[Seen])
    failures: list[str] = field(default_factory=list[str])


class Traffic:
    """Talks from `start` to `stop`, or within a `with` block. Every request is a conversation of its own."""

    def __init__(self, url: str, model: str, prompts: list[dict[str, str]], pause: float = 0.0) -> None:
        self.tally = Tally()
        self._url = url
        self._model = model
        self._prompts = itertools.cycle(prompts)
        self._pause = pause
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Traffic":
        self._stop.clear()
        self._threads = [threading.Thread(target=self._talk, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _talk(self) -> None:
        with httpx.Client(base_url=self._url, timeout=120) as client:
            while not self._stop.is_set():
                with self._lock:
                    row, number = next(self._prompts), next(self._numbers)
                self._ask(client, row, number)
                self._stop.wait(self._pause)

    def _ask(self, client: httpx.Client, row: dict[str, str], number: int) -> None:
        asked = time.monotonic()
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": row["prompt"]}],
            "max_tokens": MAX_TOKENS,
        }
        try:
            answer = client.post("/v1/chat/completions", json=body, headers={"X-Conversation-Id": f"demo-{number}"})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            self.tally.failures.append(f"{type(error).__name__}: {error}")
            return
        correct = answer.json()["choices"][0]["message"]["content"].strip() == row["completion"]
        record = answer.headers["X-CLM-Record-Id"]
        self.tally.answers.append(Seen(asked, answer.headers["X-CLM-Release"], record, row["task"], correct))
        if number % RATED == 0:
            client.post("/v1/feedback", json={"record_id": record, "score": float(correct)})
