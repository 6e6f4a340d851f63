"""The demo's acts. Each plays one part of the story for real and returns what it saw; `ok`: it went as told."""

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from clm.core.hashing import short
from clm.demo.baseline_job import BaselineJob, BaselineTask
from clm.demo.clients import Traffic
from clm.demo.data.facts import CHANGED, NEW_ANSWER, OLD_ANSWER
from clm.demo.scene import Scene
from clm.jobs.job import Compute
from clm.jobs.progress import Progress
from clm.jobs.runners import RUNNERS
from clm.policies import TrainingPolicy

Act = dict[str, Any]
ROWS_FIRST = 126  # of a task's training rows
ROWS_FLIPPED = 100  # with exchanged labels
ROWS_LATER = 66  # of the rest; they arrive when a release is bad live
OTHERS_ASKED = 12  # facts that did not change
TASKS = ("intent", "details", "facts")


def learn(scene: Scene) -> Act:
    """Three tasks arrive one after the other, each through another door."""
    doors = {"intent": _by_file, "details": _by_http, "facts": _by_folder}
    seen: Act = {"ok": True, "tasks": {}}
    for position, task in enumerate(TASKS, start=1):
        before = scene.update_ids()
        rows = first_rows(scene, task)
        scene.say(f"task {task}: {ROWS_FIRST} rows arrive by {doors[task](scene, task, rows)}")
        update = scene.new_update(task, before)
        known = [row for row in scene.prompts if row["task"] in TASKS[:position]]
        traffic = Traffic(scene.settings.gateway_url, scene.model, known)
        ended = scene.follow(update["id"], traffic)
        promoted = ended["state"] == "succeeded" and scene.champion() == ended["release_id"]
        answers, failed = len(traffic.tally.answers), len(traffic.tally.failures)
        scene.say(f"{task}: {ended['state']}, {answers} answers to clients, {failed} failed",
                  "green" if promoted else "red")  # fmt: skip
        seen["tasks"][task] = {"update": update["id"], "state": ended["state"], "release": ended["release_number"],
                               "answers": answers, "failed": failed}  # fmt: skip
        seen["ok"] = seen["ok"] and promoted and not traffic.tally.failures
    scene.show_ledger()
    return seen


def forget(scene: Scene) -> Act:
    """The same three tasks, one adapter trained in sequence, offline: what everybody's first fine-tune does."""
    folder = scene.work / "baseline"
    folder.mkdir()
    model = scene.get(f"/models/{scene.model}")
    first = next(u for u in reversed(scene.get("/updates", model=scene.model)["items"]) if u["task"] == TASKS[0])
    job = BaselineJob(
        base=model["base_hash"],
        artifacts=scene.settings.paths.artifacts,
        compute=Compute(scene.settings.threads),
        tasks=tuple(
            BaselineTask(task, scene.work / f"{task}-first.jsonl", scene.work / f"{task}-heldout.jsonl", "exact_match")
            for task in TASKS
        ),
        policy=TrainingPolicy.model_validate(model["policy"]["training"]),
        max_new_tokens=model["policy"]["generation"]["max_new_tokens"],
        work=folder,
        # The first task's adapter is what CLM's first update trained: same rows, same budget, nothing learned before.
        first_expert=scene.settings.paths.releases / first["release_id"] / "experts" / TASKS[0],
    )

    def say(progress: Progress) -> None:
        for line in progress.take_messages():
            scene.say(f"baseline  {line['message']}")

    result = RUNNERS[scene.settings.jobs].run(job, folder, say, at_end=say)
    lost = -(result.backward_transfer or 0.0)
    scene.say("one adapter, trained in sequence; each line is the state after one more task:")
    for row in result.matrix:
        cells = "  ".join(f"{t} {s:.2f}" for t, s in zip(TASKS, row, strict=False) if s is not None)
        scene.say(f"  {cells}")
    kept = scene.get("/ledger", model=scene.model)
    scene.say(f"sequential fine-tuning lost {lost:.2f} of what it knew; CLM's backward transfer is "
              f"{kept['backward_transfer']:+.3f}", "green")  # fmt: skip
    return {"ok": lost >= 0.3 and kept["backward_transfer"] >= -0.02, **asdict(result)}


def change(scene: Scene) -> Act:
    """A price changes. The new answer takes the old one's place, and no other fact moves."""
    before = scene.champion()
    report = scene.send_rows("facts", scene.work / "facts-changed.jsonl", key="facts-changed", about="fact")
    scene.say(f"the Lumo's price changes: {report['accepted']} rows arrive, {report['refused']} refused", "yellow")
    update = scene.post("/updates", {"model": scene.model, "task": "facts"})
    scene.say(f"update {update['id']} of facts, started by hand")
    scene.learn_by_heart(CHANGED, NEW_ANSWER)  # what the clients hold for right from now on
    traffic = Traffic(scene.settings.gateway_url, scene.model, scene.prompts)
    ended = scene.follow(update["id"], traffic)
    promoted = ended["state"] == "succeeded" and scene.champion() != before
    asked = [json.loads(line) for line in _lines(scene, "facts-changed-heldout")]
    others = [row for row in map(json.loads, _lines(scene, "facts-heldout")) if row["fact"] != CHANGED]
    new = sum(scene.ask(row["prompt"]) == row["completion"] for row in asked)
    stale = sum(scene.ask(row["prompt"]) == OLD_ANSWER for row in asked)
    kept = sum(scene.ask(row["prompt"]) == row["completion"] for row in others[:OTHERS_ASKED])
    right = promoted and new == len(asked) and not stale and not report["refused"]
    scene.say(f"{ended['state']}; asked in other words, {new} of {len(asked)} answers have the new price, {stale} the "
              f"old one; {kept} of {OTHERS_ASKED} other facts are right", "green" if right else "red")  # fmt: skip
    return {"ok": right, "update": update["id"], "state": ended["state"], "reason": ended["outcome"], "new_right": new,
            "stale": stale, "asked": len(asked), "others_right": kept, "others_asked": OTHERS_ASKED}  # fmt: skip


def poison(scene: Scene) -> Act:
    """A batch whose labels were exchanged arrives. The gate has to say no."""
    before, champion = scene.update_ids(), scene.champion()
    lines = (scene.work / "intent-flipped.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    rows = _write(scene.work / "intent-exchanged.jsonl", lines[:ROWS_FLIPPED])
    report = scene.send_rows("intent", rows, key="flipped")
    scene.say(f"{report['accepted']} rows for intent arrive, with labels exchanged", "yellow")
    update = scene.new_update("intent", before)
    ended = scene.follow(update["id"], None)
    stayed = scene.champion() == champion
    refused = ended["state"] == "rejected" and stayed
    scene.say(f"{ended['state']}: the champion {'stays' if stayed else 'CHANGED'}", "green" if refused else "red")
    return {"ok": refused, "update": update["id"], "state": ended["state"], "reason": ended["outcome"]}


def fail_live(scene: Scene) -> Act:
    """A release passes the gate but is bad live: its engine slot has a fault. The canary takes it back."""
    champion = scene.champion()
    later = [line for line in _lines(scene, "facts-train")[-ROWS_LATER:] if json.loads(line)["fact"] != CHANGED]
    rest = _write(scene.work / "facts-rest.jsonl", later)  # not the old price: coming later, it would count again
    scene.send_rows("facts", rest, key="facts-rest", about="fact")
    update = scene.post("/updates", {"model": scene.model, "task": "facts"})
    scene.say(f"update {update['id']} of facts, started by hand")
    faulty: list[str] = []

    def break_slot(seen: dict[str, Any]) -> None:
        if not faulty and scene.deployment()["candidate_share"] > 0:
            _set_fault(scene, seen["release_id"], "error", 1.0)
            faulty.append(seen["release_id"])
            scene.say(f"a fault is switched on in the slot of v{seen['release_number']}: it answers nothing", "yellow")

    traffic = Traffic(scene.settings.gateway_url, scene.model, scene.prompts)
    ended = scene.follow(update["id"], traffic, on_rollout=break_slot)
    back = ended["state"] == "rolled-back" and scene.champion() == champion
    scene.say(f"{ended['state']}; {len(traffic.tally.failures)} of {len(traffic.tally.answers)} clients saw a failure",
              "green" if back else "red")  # fmt: skip
    ok = back and bool(faulty) and not traffic.tally.failures
    return {"ok": ok, "update": update["id"], "state": ended["state"], "reason": ended["outcome"],
            "client_failures": len(traffic.tally.failures)}  # fmt: skip


def roll_back(scene: Scene) -> Act:
    """By hand, while the clients talk."""
    before = scene.deployment()
    with Traffic(scene.settings.gateway_url, scene.model, scene.prompts) as traffic:
        scene.wait_for("the first answers", lambda: len(traffic.tally.answers) >= 8)
        clicked = time.monotonic()
        done = scene.post(f"/deployments/{scene.model}:rollback", {"reason": "the demo shows a rollback by hand"})
        took = (time.monotonic() - clicked) * 1000
        scene.wait_for("answers after the rollback", lambda: _asked_after(traffic, clicked + 1.0) >= 8)
    late = [a for a in traffic.tally.answers if a.at > clicked + 1.0]
    clean = all(a.release == before["previous"] for a in late) and not traffic.tally.failures
    scene.say(f"rollback from {short(before['champion'])} to {short(done['champion'])} in {took:.0f} ms; "
              f"{len(late)} later answers all by the old release: {clean}", "green" if clean else "red")  # fmt: skip
    again = scene.post(f"/deployments/{scene.model}:rollback", {"reason": "the demo goes back to what it had"})
    scene.say(f"and forth again: {short(again['champion'])} serves")
    return {"ok": clean and done["champion"] == before["previous"], "rollback_ms": round(took, 1),
            "answers_after": len(late), "client_failures": len(traffic.tally.failures)}  # fmt: skip


def trace(scene: Scene) -> Act:
    """One served answer, down to the rows that taught it."""
    with Traffic(scene.settings.gateway_url, scene.model, scene.prompts) as traffic:
        scene.wait_for("answers", lambda: len(traffic.tally.answers) >= 8)
    record = next((a.record_id for a in traffic.tally.answers if a.correct), traffic.tally.answers[0].record_id)

    def look() -> Any:
        answer = scene.api.get(f"/api/v1/lineage/{record}")
        return answer.json() if answer.is_success else None

    lineage = scene.wait_for("the lineage of an answer", look, seconds=10)
    from clm.views.lineage import render

    for line in render(lineage).splitlines():
        scene.say(line)
    rows = sum(expert["training_rows"] for expert in lineage["experts"].values())
    return {"ok": rows >= ROWS_FIRST, "answer": record, "release": lineage["release"], "training_rows": rows}


def first_rows(scene: Scene, task: str) -> Path:
    return _write(scene.work / f"{task}-first.jsonl", _lines(scene, f"{task}-train")[:ROWS_FIRST])


def _by_file(scene: Scene, task: str, rows: Path) -> str:
    scene.take_file(task, rows)
    return "file (clm ingest)"


def _by_http(scene: Scene, task: str, rows: Path) -> str:
    scene.send_rows(task, rows, key=f"{task}-first")
    return "HTTP (POST /api/v1/records)"


def _by_folder(scene: Scene, task: str, rows: Path) -> str:
    inbox = scene.work / "inbox"
    inbox.mkdir()
    scene.post("/sources", {"model": scene.model, "task": task, "settings": {"path": str(inbox)}, "key": "fact"})
    shutil.copy(rows, inbox / rows.name)
    return "watched folder"


def _lines(scene: Scene, name: str) -> list[str]:
    return (scene.work / f"{name}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)


def _write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _set_fault(scene: Scene, release_id: str, kind: str, rate: float) -> None:
    url = f"{scene.settings.engine_url}/internal/releases/{release_id}/fault"
    httpx.put(url, json={"kind": kind, "rate": rate}, timeout=10).raise_for_status()


def _asked_after(traffic: Traffic, moment: float) -> int:
    return sum(answer.at > moment for answer in traffic.tally.answers)
