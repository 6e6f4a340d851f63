"""`clm demo`: sets the stage, plays the acts in order, tells how it went."""

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import typer

from clm.catalog import service as catalog
from clm.core.caller import Caller
from clm.core.files import write_json
from clm.demo import acts
from clm.demo.data import write as write_data
from clm.demo.scene import Scene
from clm.errors import ClmError
from clm.installation import Installation
from clm.policies import (
    GatePolicy,
    GenerationPolicy,
    ModelPolicy,
    RepairPolicy,
    RolloutPolicy,
    TrainingPolicy,
    TransferPolicy,
    TriggerPolicy,
)
from clm.processes.supervisor import Supervisor
from clm.stages.first_release import create_model

MODEL = "support-assistant"
POLICY = ModelPolicy(
    training=TrainingPolicy(learning_rate=1e-3, epochs=3, batch_size=5, replay_rows=33),
    transfer=TransferPolicy(enabled=False),  # three kinds of task: comparing the starts would only take time
    trigger=TriggerPolicy(volume=100),
    gate=GatePolicy(margin=0.08),
    repair=RepairPolicy(interpolate=False, replay_tries=0),  # the fourth act is about the gate's no
    rollout=RolloutPolicy(steps=(30, 60), minimum_requests=6, max_latency_ratio=10),
    generation=GenerationPolicy(max_new_tokens=32),
)
ACTS: tuple[tuple[str, str, Callable[[Scene], acts.Act]], ...] = (
    ("learn", "1 Three tasks arrive, and are learned", acts.learn),
    ("forget", "2 The same three by plain sequential fine-tuning", acts.forget),
    ("change", "3 A fact changes", acts.change),
    ("poison", "4 A batch with exchanged labels", acts.poison),
    ("fail_live", "5 A release that is bad live", acts.fail_live),
    ("roll_back", "6 Rollback by hand", acts.roll_back),
    ("trace", "7 Where an answer comes from", acts.trace),
)


def play(on: Installation, caller: Caller, *, serve: bool, report: Path | None) -> int:
    """Returns the exit code: 0 if every act went as told."""
    began = time.monotonic()
    free = {} if serve else {"api_port": 0, "gateway_port": 0, "engine_port": 0}
    settings = on.settings
    wanted = settings.model_copy(update={"allow_faults": True, **free})
    (settings.home / "demo").mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=settings.home / "demo", prefix="story-"))
    with Supervisor(wanted, say=lambda text: typer.echo(f"      {text}")) as running:
        for number in (signal.SIGINT, signal.SIGTERM):  # both end it with everything stopped
            signal.signal(number, signal.default_int_handler)
        scene = _set_stage(replace(on, settings=running.settings), caller, work)
        typer.secho(f"      The dashboard shows it live: {running.settings.api_url}", bold=True)
        seen = _play_acts(scene)
        summary = _summarise(scene, seen, time.monotonic() - began)
        if report:
            write_json(report.absolute(), summary)
        ok = all(act["ok"] for act in seen.values()) and len(seen) == len(ACTS)
        _tell(scene, summary, ok)
        if serve:
            _keep_open(running, scene.model)
    shutil.rmtree(work, ignore_errors=True)
    return 0 if ok else 1


def _keep_open(running: Supervisor, model: str) -> None:
    typer.echo(f"\n      The dashboard stays open: {running.settings.api_url}")
    typer.echo(f"      The model answers on {running.settings.gateway_url}/v1 as {model!r}. Ctrl-C ends it.")
    with suppress(KeyboardInterrupt):
        running.wait()


def _set_stage(on: Installation, caller: Caller, work: Path) -> Scene:
    """Demo data, the model, its tasks and their suites."""
    write_data(work)
    with on.database.read() as session:
        names = {model.name for model in catalog.list_models(session)}
    model = next(name for n in range(1, 1000) if (name := MODEL if n == 1 else f"{MODEL}-{n}") not in names)
    typer.echo(f"      Model {model}: importing the base SmolLM2-135M-Instruct …")
    create_model(on, caller, name=model, base="smollm2-135m-instruct", policy=POLICY, demo=True)
    prompts = [json.loads(line) for line in (work / "traffic.jsonl").read_text(encoding="utf-8").splitlines()]
    scene = Scene(on, caller, model, work, prompts)
    for task in acts.TASKS:
        with on.database.transaction() as session:
            catalog.add_task(session, caller, model=model, name=task, holdout=0.0, description="Demo data")
        scene.take_file(task, work / f"{task}-heldout.jsonl", suite=True, key="fact" if task == "facts" else None)
    return scene


def _play_acts(scene: Scene) -> dict[str, acts.Act]:
    seen: dict[str, acts.Act] = {}
    for name, title, act in ACTS:
        scene.title(title)
        began = time.monotonic()
        try:
            seen[name] = act(scene)
        except (ClmError, httpx.HTTPError) as error:
            scene.say(str(error), "red")
            seen[name] = {"ok": False, "reason": str(error)}
        seen[name]["seconds"] = round(time.monotonic() - began, 1)
    return seen


def _summarise(scene: Scene, seen: dict[str, acts.Act], seconds: float) -> dict[str, Any]:
    ledger = scene.get("/ledger", model=scene.model)
    baseline = seen.get("forget", {})
    return {
        "acts": seen,
        "ledger": ledger,
        "sequential_baseline": {"tasks": list(acts.TASKS), "matrix": baseline.get("matrix")},
        "average_performance": ledger["average_performance"],
        "backward_transfer": ledger["backward_transfer"],
        "baseline_backward_transfer": baseline.get("backward_transfer"),
        "rollback_ms": seen.get("roll_back", {}).get("rollback_ms"),
        "seconds": round(seconds, 1),
        "cpus": os.cpu_count(),
    }


def _tell(scene: Scene, summary: dict[str, Any], ok: bool) -> None:
    scene.title("How it went")
    for name, act in summary["acts"].items():
        mark = "as told" if act["ok"] else f"NOT as told: {act.get('reason', 'see above')}"
        typer.secho(f"      {name:<10} {mark} ({act['seconds']:.0f} s)", fg="green" if act["ok"] else "red")
    scene.show_ledger()
    performance, transfer = summary["average_performance"], summary["backward_transfer"]
    baseline = summary["baseline_backward_transfer"]
    if None not in (performance, transfer, baseline):
        typer.echo(f"      average performance {performance:.2f}, backward transfer {transfer:+.3f} "
                   f"(sequential fine-tuning: {baseline:+.2f})")  # fmt: skip
    typer.secho(f"      {'Every act went as told' if ok else 'NOT every act went as told'}, "
                f"in {summary['seconds']:.0f} s.", bold=True)  # fmt: skip
