"""Moving traffic while clients talk, with the real gateway and engine: nobody sees a failure, the switch is at once."""

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from clm.core.clock import now
from clm.monitoring.repository import window
from clm.monitoring.tables import Answer
from clm.policies import RolloutPolicy
from clm.processes.gateway import MonitoringArchive
from clm.records import TrafficWindow
from clm.serving.gateway.app import create_app
from serving_home import HTTP, MODEL, PROMPTS, ServingHome, running, wait_until

pytestmark = pytest.mark.usefixtures("ports")


class Clients:
    """Threads that chat without a pause; each answer is (when it was asked, status, release)."""

    def __init__(self, home: ServingHome, count: int) -> None:
        self.seen: list[tuple[float, int, str]] = []
        self._url = f"{home.settings.gateway_url}/v1/chat/completions"
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._talk, args=(n,)) for n in range(count)]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def releases(self, since: float) -> list[str]:
        """Who answered what was asked after that moment (monotonic seconds)."""
        return [release for asked, _, release in list(self.seen) if asked > since]

    def _talk(self, number: int) -> None:
        with httpx.Client(timeout=60) as client:
            turn = 0
            while not self._stop.is_set():
                turn += 1
                body = {"model": MODEL, "messages": [{"role": "user", "content": f"{number}+{turn}="}], "max_tokens": 4}
                asked = time.monotonic()
                got = client.post(self._url, json=body)
                self.seen.append((asked, got.status_code, got.headers.get("x-clm-release", "")))


def engine_knows(home: ServingHome) -> dict[str, Any]:
    return HTTP.get(f"{home.settings.engine_url}/internal/releases").json()


def is_ready(home: ServingHome, name: str) -> Callable[[], bool]:
    return lambda: home.releases[name].release_id in engine_knows(home)["ready"]


def ask(home: ServingHome, content: str, model: str = MODEL, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 6, **more}
    return HTTP.post(f"{home.settings.gateway_url}/v1/chat/completions", json=body, timeout=60)


def seen_of(home: ServingHome, name: str, pinned: bool = False) -> TrafficWindow:
    with home.database.read() as session:
        return window(session, home.releases[name].release_id, now() - timedelta(hours=1), pinned)


def logged(home: ServingHome, ids: set[str]) -> set[str]:
    """Which of these answers the request log holds."""
    with home.database.read() as session:
        return set(session.scalars(select(Answer.id).where(Answer.id.in_(ids))))


def set_fault(home: ServingHome, name: str, kind: str, rate: float = 1.0, seconds: float = 1.0) -> None:
    url = f"{home.settings.engine_url}/internal/releases/{home.releases[name].release_id}/fault"
    HTTP.put(url, json={"kind": kind, "rate": rate, "seconds": seconds}).raise_for_status()


def clear_fault(home: ServingHome, name: str) -> None:
    HTTP.delete(
        f"{home.settings.engine_url}/internal/releases/{home.releases[name].release_id}/fault"
    ).raise_for_status()


def test_canary_promotion_and_rollback_while_20_clients_talk(home: ServingHome) -> None:
    old, new = home.releases["v1"].release_id, home.releases["v2"].release_id
    with Clients(home, 20) as clients:
        rollout = home.begin("v2", RolloutPolicy(steps=(30,)))
        wait_until(is_ready(home, "v2"), 10, "the engine holds v2")
        home.go_live(rollout)
        wait_until(lambda: new in clients.releases(0), 10, "the canary answers")
        begun = time.monotonic()
        wait_until(lambda: len(clients.releases(begun)) > 100, 20, "100 more answers")
        canary_share = [release for _, _, release in clients.seen[-100:]].count(new)
        home.go_live(rollout)  # the last step: promoted
        promoted = time.monotonic()
        wait_until(lambda: len(clients.releases(promoted + 1.6)) > 20, 20, "answers after the promotion")
        home.act("rollback")
        rolled_back = time.monotonic()
        wait_until(lambda: len(clients.releases(rolled_back)) > 50, 20, "answers after the rollback")
    statuses = [status for _, status, _ in clients.seen]
    assert len(statuses) > 100
    assert set(statuses) == {200}
    assert 5 <= canary_share <= 60
    after_promotion = {r for asked, _, r in clients.seen if promoted + 1 < asked < rolled_back - 0.5}
    after_rollback = {r for asked, _, r in clients.seen if asked > rolled_back}
    assert after_promotion == {new}
    assert after_rollback == {old}  # even without the second that is allowed


def test_conversations_stick_to_their_side(home: ServingHome) -> None:
    rollout = home.begin("v3", RolloutPolicy(steps=(50,)))
    wait_until(is_ready(home, "v3"), 10, "the engine holds v3")
    home.go_live(rollout)
    url = f"{home.settings.gateway_url}/v1/chat/completions"
    sides: dict[str, set[str]] = {}
    with httpx.Client(timeout=60) as client:
        for turn in range(2):
            for n in range(10):
                body = {"model": MODEL, "messages": [{"role": "user", "content": f"turn {turn}"}], "max_tokens": 1}
                by_header = client.post(url, json=body, headers={"X-Conversation-Id": f"conversation {n}"})
                by_user = client.post(url, json={**body, "user": f"conversation {n}"})
                found = {by_header.headers["x-clm-release"], by_user.headers["x-clm-release"]}
                sides.setdefault(f"{n}", set()).update(found)
    assert all(len(side) == 1 for side in sides.values())
    assert len(set.union(*sides.values())) == 2
    home.act("abort")


def test_a_failing_candidate_is_seen_by_the_analysis_but_not_by_clients(home: ServingHome) -> None:
    rollout = home.begin("v4", RolloutPolicy(steps=(50,)))
    wait_until(is_ready(home, "v4"), 10, "the engine holds v4")
    home.go_live(rollout)
    set_fault(home, "v4", "error")
    for n in range(20):
        got = ask(home, f"question {n}", stream=n % 2 == 1)
        assert got.status_code == 200
        assert got.headers["x-clm-release"] == home.releases["v1"].release_id
        assert n % 2 == 0 or got.text.endswith("data: [DONE]\n\n")
    wait_until(lambda: seen_of(home, "v4").requests > 3, 2, "the log is written")
    seen = seen_of(home, "v4")
    assert seen.errors == seen.requests
    pinned = ask(home, "question", f"{MODEL}@candidate")  # who asks for it gets what it gives
    assert pinned.status_code == 503
    assert "fault is switched on" in pinned.json()["error"]["message"]
    wait_until(lambda: seen_of(home, "v4", pinned=True).requests == seen_of(home, "v4").requests + 1, 2, "pinned apart")

    set_fault(home, "v4", "slow", seconds=0.7)
    start = time.monotonic()
    assert ask(home, "question", f"{MODEL}@candidate").status_code == 200
    assert time.monotonic() - start > 0.7
    set_fault(home, "v4", "garbage")
    good = home.expected("v4", PROMPTS["sums"][4], 12)
    bad = ask(home, PROMPTS["sums"][4], f"{MODEL}@candidate", max_tokens=12)
    assert bad.json()["choices"][0]["message"]["content"] != good[0]
    probe = {"shape": "completion", "content": {"prompt": PROMPTS["sums"][4]}, "max_tokens": 12}
    asked = {"release_id": home.releases["v4"].release_id, "probes": [probe, probe]}
    answers = HTTP.post(f"{home.settings.engine_url}/internal/probe", json=asked).json()["answers"]
    assert [(a["text"], a["expert"]) for a in answers] == [good, good]  # the parity check looks past the drill
    clear_fault(home, "v4")
    again = ask(home, PROMPTS["sums"][4], f"{MODEL}@candidate", max_tokens=12)
    assert again.json()["choices"][0]["message"]["content"] == good[0]
    home.act("abort")


def test_a_changed_release_is_never_loaded_and_the_champion_serves_on(home: ServingHome) -> None:
    good, broken = home.releases["v3"], "0" * 64
    folder = home.settings.paths.releases / broken
    shutil.copytree(home.settings.home / good.path, folder)
    home.releases["broken"] = replace(good, release_id=broken, path=f"releases/{broken}")
    home.begin("broken")
    wait_until(lambda: broken in engine_knows(home)["errors"], 10, "the engine refuses the release")
    assert "manifest.json was changed" in engine_knows(home)["errors"][broken]
    assert ask(home, "still there?").status_code == 200
    refused = ask(home, "still there?", f"{MODEL}@candidate")
    assert (refused.status_code, "does not verify" in refused.text) == (503, True)
    home.act("abort")


def test_a_locked_database_holds_no_answer_up(home: ServingHome) -> None:
    lock = sqlite3.connect(home.settings.paths.database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        start = time.monotonic()
        answers = [ask(home, f"locked {n}") for n in range(5)]
        assert all(answer.status_code == 200 for answer in answers)
        assert time.monotonic() - start < 5
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    ids = {answer.headers["x-clm-record-id"] for answer in answers}
    wait_until(lambda: logged(home, ids) == ids, 10, "the log catches up")


def test_stopping_finishes_what_is_being_answered(home: ServingHome) -> None:
    other = home.on_other_ports()
    answers: list[httpx.Response] = []
    with running(other, "clm.serving.engine", "clm.processes.gateway"):
        long = threading.Thread(target=lambda: answers.append(ask(other, "a long answer", max_tokens=400)))
        long.start()
        time.sleep(0.3)
        assert not answers  # it is under way
    long.join()
    assert answers[0].status_code == 200
    with pytest.raises(httpx.HTTPError):
        ask(other, "nobody is there")


def test_without_an_engine_the_gateway_says_so(home: ServingHome) -> None:
    other = home.on_other_ports()
    app = create_app(other.settings, other.database, MonitoringArchive(other.database))
    with TestClient(app) as client:
        for stream in (False, True):
            body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
            got = client.post("/v1/chat/completions", json=body)
            assert got.status_code == 503
            assert got.headers["retry-after"] == "1"
            assert "engine does not answer" in got.json()["error"]["message"]
        assert client.get("/healthz").json()["engine"] is False
