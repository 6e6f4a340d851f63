"""The demo's stage: the running services, what the acts ask them for, and how they tell of it in the terminal."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import typer

from clm.core.caller import Caller
from clm.demo.clients import MAX_TOKENS, Traffic
from clm.errors import ClmError, Unavailable
from clm.ingest import service as ingest
from clm.ingest.intake import BatchSpec
from clm.installation import Installation
from clm.records import UPDATE_ENDED


class Scene:
    """`model` is the demo's model, `rows` what a client may ask, `work` a folder for the demo's files."""

    def __init__(self, on: Installation, caller: Caller, model: str, work: Path, prompts: list[dict[str, str]]) -> None:
        self._on = on
        self._caller = caller
        self.settings = on.settings
        self.model = model
        self.work = work
        self.prompts = prompts
        self.api = httpx.Client(base_url=on.settings.api_url, timeout=60)
        self.began = time.monotonic()

    def say(self, text: str, color: str | None = None) -> None:
        passed = int(time.monotonic() - self.began)
        typer.secho(f"{passed // 60:>2}:{passed % 60:02}  {text}", fg=color)

    def take_file(self, task: str, file: Path, *, suite: bool = False, key: str | None = None) -> None:
        """As `clm ingest` does."""
        intake = self._on.intake(self._caller)
        ingest.ingest(intake, file, BatchSpec(self.model, task, source="command line", suite=suite, key=key))

    def title(self, text: str) -> None:
        typer.secho(
            f"\n━━ {text} " + "━" * max(0, min(100, shutil.get_terminal_size().columns) - len(text) - 4), bold=True
        )

    def get(self, path: str, **params: str | int) -> Any:
        answer = self.api.get(f"/api/v1{path}", params=params)
        if answer.is_error:
            raise Unavailable(f"GET {path}: {answer.json().get('detail', answer.text)}")
        return answer.json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.api.post(f"/api/v1{path}", json=body)
        if answer.is_error:
            raise ClmError(f"POST {path}: {answer.json().get('detail', answer.text)}")
        return answer.json()

    def send_rows(self, task: str, file: Path, key: str, about: str | None = None) -> dict[str, Any]:
        """The HTTP door. `about` names the column that says what a row is about."""
        answer = self.api.post(
            "/api/v1/records",
            params={"model": self.model, "task": task, "source": "http"} | ({"key": about} if about else {}),
            content=file.read_bytes(),
            headers={"Content-Type": "application/x-ndjson", "Idempotency-Key": key},
        )
        if answer.is_error:
            raise ClmError(f"POST /records: {answer.json().get('detail', answer.text)}")
        return answer.json()

    def ask(self, prompt: str) -> str:
        """What the served model answers."""
        body = {"model": self.model, "messages": [{"role": "user", "content": prompt}], "max_tokens": MAX_TOKENS}
        answer = httpx.post(f"{self.settings.gateway_url}/v1/chat/completions", json=body, timeout=120)
        answer.raise_for_status()
        return answer.json()["choices"][0]["message"]["content"].strip()

    def learn_by_heart(self, fact: str, answer: str) -> None:
        """From now on the clients hold this answer for the right one."""
        self.prompts = [row | {"completion": answer} if row.get("fact") == fact else row for row in self.prompts]

    def deployment(self) -> dict[str, Any]:
        return self.get(f"/deployments/{self.model}")

    def wait_for(self, what: str, look: Callable[[], Any], seconds: float = 120) -> Any:
        """Looks until it sees something; Unavailable after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if sight := look():
                return sight
            time.sleep(0.2)
        raise Unavailable(f"{what} did not happen within {seconds:.0f} s.")

    def new_update(self, task: str, before: set[str]) -> dict[str, Any]:
        """The update that the arrived rows trigger."""

        def look() -> dict[str, Any] | None:
            items = self.get("/updates", model=self.model)["items"]
            return next((u for u in items if u["task"] == task and u["id"] not in before), None)

        update = self.wait_for(f"an update of {task}", look)
        self.say(f"update {update['id']} starts by itself: {update['trigger_reason']}", "cyan")
        return update

    def update_ids(self) -> set[str]:
        return {u["id"] for u in self.get("/updates", model=self.model, limit=200)["items"]}

    def follow(
        self, update_id: str, traffic: Traffic | None, on_rollout: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> dict[str, Any]:
        """Tells an update's log until it ends. The clients talk while it rolls out."""
        shown, talking, mark = 0, False, ""
        try:
            while True:
                update = self.get(f"/updates/{update_id}")
                page = self.get(f"/updates/{update_id}/log", after=shown)
                shown = page["next"]
                for line in page["lines"]:
                    self.say(f"{line['stage'] or 'end':<9} {line['message']}")
                mark = self._tell_progress(update["progress"], mark)
                if update["stage"] == "rollout" and update["state"] == "running":
                    if traffic and not talking:
                        traffic.__enter__()
                        talking = True
                    on_rollout(update)
                if update["state"] in UPDATE_ENDED:
                    return update
                time.sleep(1.0)  # looking costs the training its processor
        finally:
            if traffic and talking:
                traffic.__exit__()

    def _tell_progress(self, progress: dict[str, Any] | None, mark_before: str) -> str:
        if not progress or not progress.get("steps") or progress.get("eta_seconds") is None:
            return mark_before
        quarter = 4 * progress["step"] // progress["steps"]
        mark = f"{progress['stage']} {quarter}"
        if mark != mark_before and 0 < quarter < 4:
            self.say(f"{progress['stage']:<9} {progress['step']}/{progress['steps']}, "
                     f"{progress['eta_seconds']:.0f} s to go")  # fmt: skip
        return mark

    def champion(self) -> str:
        return self.deployment()["champion"]

    def show_ledger(self) -> dict[str, Any]:
        """Prints task x release with each score."""
        ledger = self.get("/ledger", model=self.model)
        numbers = sorted({c["number"] for t in ledger["tasks"] for c in t["cells"] if c["number"]})
        typer.echo("      " + " " * 10 + "".join(f"{'v' + str(n):>8}" for n in numbers))
        for task in ledger["tasks"]:
            scores = {c["number"]: c["score"] for c in task["cells"] if c["number"]}
            cells = "".join(f"{scores[n]:>8.2f}" if n in scores else f"{'·':>8}" for n in numbers)
            typer.echo(f"      {task['task']:<10}{cells}")
        return ledger
