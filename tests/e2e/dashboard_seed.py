"""An installation in the midst of its work, made through the services: one release serves, a canary of the next is
under way, one candidate was rejected, and an update is training. Nothing here trains or answers for real."""

from datetime import timedelta
from typing import Literal

from sqlalchemy.orm import Session

from clm.catalog.service import add_task, create_model
from clm.core.caller import WORKER, Caller
from clm.core.clock import iso, now
from clm.core.database import Database
from clm.core.ids import new_id
from clm.deployment import service as deployment
from clm.evaluation.repository import save_scores
from clm.monitoring.service import add_answers
from clm.monitoring.tables import Answer
from clm.policies import ModelPolicy
from clm.records import Release, RepairTry, TaskScore, TrafficWindow
from clm.registry.service import as_release
from clm.registry.tables import ReleaseRow
from clm.settings import Settings
from clm.updates import log
from clm.updates.service import create_update, tries_to_json
from clm.updates.tables import Stage, Update

MODEL = "support-assistant"
TASKS = ("intent", "details", "facts")
STAGES = ("snapshot", "mixture", "train", "evaluate", "gate", "release", "rollout")
BASE, ROUTER, SUITE = "b" * 64, "f" * 64, "5" * 64
# Scores of each release on what was scored; the rejected candidate stands under 0.
# No release is taught `general`.
SCORES = {
    1: {"general": 0.65, "intent": 0.11},
    2: {"general": 0.65, "intent": 0.93, "details": 0.02},
    3: {"general": 0.65, "intent": 0.92, "details": 0.88, "facts": 0.05},
    4: {"general": 0.65, "intent": 0.93, "details": 0.88, "facts": 0.91},
    0: {"general": 0.65, "intent": 0.41, "details": 0.87, "facts": 0.91},
}


def seed(database: Database, settings: Settings) -> dict[str, str]:
    """Fills an empty database; gives the ids of the updates by how they stand."""
    with database.transaction() as session:
        create_model(
            session, Caller("cli:ada"), name=MODEL, base_reference="smollm2-135m-instruct", base_hash=BASE,
            policy=ModelPolicy(), demo=True,
        )  # fmt: skip
        for name in TASKS:
            add_task(session, Caller("cli:ada"), model=MODEL, name=name, description=f"What {name} is for")
        releases = [_release(session, number) for number in (1, 2)]
        deployment.deploy_first(session, WORKER, MODEL, releases[0])
        _scores(session, releases[0], None)
        first = _update(session, "intent", releases[1], "succeeded", "v2 serves all traffic.")
        _promote(session, releases[1], first.id)
        second_release = _release(session, 3)
        second = _update(session, "details", second_release, "succeeded", "v3 serves all traffic.")
        _promote(session, second_release, second.id)
        rejected = _rejected(session)
        candidate = _release(session, 4)
        canary = _update(session, "facts", candidate, "running", None)
        _start_canary(session, canary, candidate)
        training = _training(session)
        ids = {"succeeded": first.id, "rejected": rejected.id, "canary": canary.id, "training": training.id}
        _answers(session, [second_release, candidate])
    for step in (4, 8, 12):
        log.write(settings.paths.updates / ids["training"], "train", f"step {step} of 60, loss 0.5")
    log.write(settings.paths.updates / ids["rejected"], "gate", "rejected; the champion stays.", "warning")
    return ids


def _release(session: Session, number: int) -> Release:
    tasks = TASKS[: number - 1]
    manifest = {
        "model": MODEL,
        "base": {"hash": BASE, "reference": "smollm2-135m-instruct"},
        "experts": {task: {"hash": f"{at}" * 64} for at, task in enumerate(tasks, start=1)},
        "router": {"hash": ROUTER} if tasks else None,
        "lineage": {"gate": {"verdict": "pass"}} if tasks else {},
    }
    row = ReleaseRow(
        id=str(number) * 64, model=MODEL, number=number, parent=None, update_id=None, path="", manifest=manifest,
        mlflow_version=None, created_at=now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return as_release(row)


def _scores(session: Session, release: Release | None, update_id: str | None) -> None:
    scored = {
        task: TaskScore(task, "exact_match", score, 80, SUITE, 1, 0)
        for task, score in SCORES[release.number if release else 0].items()
    }
    save_scores(session, MODEL, update_id, release.release_id if release else None, scored)


def _update(session: Session, task: str, release: Release, state: str, outcome: str | None) -> Update:
    update = create_update(
        session, WORKER, model=MODEL, task=task, trigger="volume", reason=f"160 new rows of {task}, 120 asked for"
    )
    ended = state != "running"
    update.state, update.outcome, update.release_id = state, outcome, release.release_id
    update.stage = None if ended else "rollout"
    update.started_at = now() - timedelta(seconds=200)
    update.finished_at = now() if ended else None
    update.verdict = _verdict("pass", {task: (0.93, 0.11)})
    _stages(session, update, 7 if ended else 6)
    _scores(session, release, update.id)
    return update


def _stages(session: Session, update: Update, done: int, last: Literal["running", "failed"] = "running") -> None:
    begin = now() - timedelta(seconds=200)
    for position, name in enumerate(STAGES[: done + 1]):
        state = "done" if position < done else last
        end = begin + timedelta(seconds=3 + 20 * position) if state != "running" else None
        detail = {"new_rows": 160, "replay_rows": 40} if name == "mixture" else None
        session.add(
            Stage(update_id=update.id, position=position, name=name, state=state, attempts=1, detail=detail,
                  started_at=begin, finished_at=end)
        )  # fmt: skip


def _verdict(verdict: str, scores: dict[str, tuple[float, float]]) -> dict[str, object]:
    tasks = [
        {"task": task, "verdict": verdict if task == "intent" else "pass", "candidate": new, "champion": old,
         "difference": new - old, "lower_bound": new - old - 0.03, "margin": 0.05, "n": 80, "more_examples": None,
         "reason": f"{new:.2f} against {old:.2f} on 80 examples"}
        for task, (new, old) in scores.items()
    ]  # fmt: skip
    said = {"pass": "No task lost more than its margin.", "fail": "intent: 0.41 against 0.92 on 80 examples"}
    return {"verdict": verdict, "reason": said[verdict], "tasks": tasks}


def _promote(session: Session, release: Release, update_id: str) -> None:
    rollout = deployment.start_rollout(session, WORKER, release, ModelPolicy().rollout, update_id)
    good, moment = TrafficWindow(40, 0, 100.0, 0, None), now()
    for after in range(4):
        deployment.tick(session, WORKER, rollout.id, good, good, True, moment + timedelta(seconds=after))
    assert rollout.state == "promoted"


def _start_canary(session: Session, update: Update, release: Release) -> None:
    rollout = deployment.start_rollout(session, WORKER, release, ModelPolicy().rollout, update.id)
    few = TrafficWindow(3, 0, 100.0, 0, None)
    for after in range(2):
        deployment.tick(session, WORKER, rollout.id, few, few, True, now() + timedelta(milliseconds=after))
    rollout.step_started_at = now() - timedelta(seconds=60)
    update.rollout_id = rollout.id


def _rejected(session: Session) -> Update:
    update = create_update(
        session, WORKER, model=MODEL, task="intent", trigger="volume", reason="112 new rows of intent"
    )
    update.state, update.finished_at = "rejected", now()
    update.started_at = now() - timedelta(seconds=150)
    verdict = _verdict("fail", {"intent": (0.41, 0.92), "details": (0.87, 0.88)})
    update.verdict, update.outcome = verdict, str(verdict["reason"])
    _stages(session, update, 4, "failed")
    update.tries = tries_to_json(
        [
            RepairTry("interpolate", 0.5, None, "8" * 64, {"intent": 0.74, "details": 0.88}, -0.18, "fail",
                      "Worse than allowed: intent: 0.74 against 0.92 on 80 examples"),
            RepairTry("interpolate", 0.25, None, "9" * 64, {"intent": 0.92, "details": 0.88}, 0.0, "pass",
                      "No task lost more than its margin: intent: 0.92 against 0.92 on 80 examples"),
            RepairTry("replay", None, 1.5, None, {}, None, "error",
                      "There are no more older rows of task 'intent' to replay."),
        ]
    )  # fmt: skip
    detail = {"verdict": "fail", "tries": 3, "reason": "3 repairs were tried and none helped"}
    session.add(
        Stage(update_id=update.id, position=5, name="repair", state="failed", attempts=1, detail=detail,
              started_at=now() - timedelta(seconds=50), finished_at=now())
    )  # fmt: skip
    _scores(session, None, update.id)
    return update


def _training(session: Session) -> Update:
    update = create_update(session, Caller("api"), model=MODEL, task="details", reason="started by hand")
    update.state, update.stage, update.started_at = "running", "train", now() - timedelta(seconds=40)
    update.progress = {
        "stage": "train", "step": 24, "steps": 60, "tokens_per_second": 412.0, "eta_seconds": 43.0, "loss": 0.42,
        "at": iso(now()),
    }  # fmt: skip
    _stages(session, update, 2)
    return update


def _answers(session: Session, releases: list[Release]) -> None:
    for release, count in zip(releases, (30, 7), strict=True):
        add_answers(
            session,
            [Answer(id=new_id("ans"), model=MODEL, release_id=release.release_id, expert="intent", conversation="c",
                   status=200, error=None, latency_ms=700.0 + at, prompt_tokens=40, completion_tokens=9, pinned=False,
                   at=now() - timedelta(seconds=at))
             for at in range(count)],
        )  # fmt: skip
