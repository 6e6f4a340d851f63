"""The judge, over real HTTP against a server in a process of its own."""

import math
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

import judge_server
from clm.errors import InvalidInput
from clm.evaluation import job
from clm.evaluation.answers import example_scores
from clm.evaluation.comparison import ExampleScore
from clm.evaluation.gate import judge as gate
from clm.evaluation.judge import Judge, Pair, read_verdict
from clm.jobs.evaluation import JudgeOptions
from clm.records import TaskScore
from evaluation_world import Prepare

pytestmark = pytest.mark.usefixtures("process")
MakeJudge = Callable[..., Judge]
PAIRS = [Pair("q1", "good one", "plain"), Pair("q2", "bad one", "a good one"), Pair("q3", "x", "y")]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, judge_server.__file__], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    process.kill()
    process.wait()


@pytest.fixture
def make(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeJudge:
    monkeypatch.setenv("TEST_JUDGE_KEY", judge_server.KEY)

    def judge(model: str = "fair", url: str = server, key_env: str = "TEST_JUDGE_KEY") -> Judge:
        return Judge(JudgeOptions(url, model, key_env, timeout=5), tmp_path / "verdicts.db", pause=0.01)

    return judge


def asked(server: str) -> int:
    return len(httpx.get(f"{server}/asked").json()["asked"])


def test_an_answer_that_is_as_good_as_the_reference_gets_one(make: MakeJudge) -> None:
    judge = make()
    assert judge.scores(PAIRS) == [1.0, 0.0, 1.0]
    assert judge.error is None


def test_who_always_prefers_the_first_gives_everyone_half(make: MakeJudge) -> None:
    assert make("first").scores(PAIRS) == [0.5, 0.5, 0.5]


def test_a_verdict_is_asked_once_per_content_and_model(make: MakeJudge, server: str) -> None:
    before = asked(server)
    make().scores([*PAIRS, *PAIRS, Pair("q4", "The same!", "the same")])
    assert asked(server) == before + 6  # two orders each; what says the same is not asked
    assert make().scores(PAIRS) == [1.0, 0.0, 1.0]
    assert asked(server) == before + 6
    make("thinking").scores(PAIRS)
    assert asked(server) == before + 12
    assert make("fair").pin != make("first").pin


def test_a_judge_may_think_aloud_and_fail_for_a_moment(make: MakeJudge) -> None:
    assert make("thinking").scores(PAIRS) == [1.0, 0.0, 1.0]
    assert make("flaky").scores(PAIRS) == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(("model", "said"), [("broken", "answered 503"), ("mumbling", "no verdict that can be read")])
def test_a_judge_that_does_not_judge_gives_no_number(make: MakeJudge, model: str, said: str) -> None:
    judge = make(model)
    assert all(math.isnan(score) for score in judge.scores(PAIRS))
    assert judge.error is not None and said in judge.error


def test_an_unreachable_judge_is_told_and_never_passes_the_gate(make: MakeJudge, server: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    judge = make(url=nobody)
    scores = judge.scores(PAIRS)
    assert all(map(math.isnan, scores)) and "can't be reached" in str(judge.error)
    ours = {"chat": [ExampleScore(str(n), score) for n, score in enumerate(scores)]}
    theirs = {"chat": [ExampleScore(str(n), 0.0) for n in range(len(scores))]}
    assert gate(ours, theirs, {"chat": 0.05}, 0.95).verdict == "inconclusive"

    wrong_key = make(key_env="NO_SUCH_KEY")
    assert math.isnan(wrong_key.scores(PAIRS[:1])[0]) and "401" in str(wrong_key.error)
    assert make().scores(PAIRS) == [1.0, 0.0, 1.0]  # no failure was kept as a verdict


def test_a_suite_is_judged_by_the_job_and_its_version_names_the_judge(
    prepare: Prepare, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_JUDGE_KEY", judge_server.KEY)
    metrics = {"letters": "judge"}
    plain = job.run(prepare("plain", {"candidate": []}, ["letters"], metrics={"letters": "token_f1"}))
    scores: dict[str, TaskScore] = {}
    for model in ("fair", "first"):
        options = JudgeOptions(server, model, "TEST_JUDGE_KEY")
        judged = job.run(prepare(model, {"candidate": []}, ["letters"], metrics=metrics, judge=options))
        scores[model] = judged.compositions["candidate"].scores["letters"]
        assert judged.judge_trouble is None
    assert (scores["fair"].score, scores["first"].score) == (1.0, 0.5)  # neither answer is "good"
    versions = {plain.compositions["candidate"].scores["letters"].suite_hash, *(s.suite_hash for s in scores.values())}
    assert len(versions) == 3

    with pytest.raises(InvalidInput, match="judge_url and judge_model"):
        job.run(prepare("none", {"candidate": []}, ["letters"], metrics=metrics))
    options = JudgeOptions(server, "broken", "TEST_JUDGE_KEY")
    monkeypatch.setattr("clm.evaluation.judge.TRIES", 1)
    owed = job.run(prepare("owed", {"candidate": [], "champion": []}, ["letters"], metrics=metrics, judge=options))
    assert owed.compositions["candidate"].scores == {} and "answered 503" in str(owed.judge_trouble)
    ours, theirs = (example_scores(owed.compositions[name].answers) for name in ("candidate", "champion"))
    assert gate(ours, theirs, {"letters": 0.05}, 0.95).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("A", "A"), (" **B** ", "B"), ("Answer: TIE.", "EQUAL"), ("Both have merits.\nB", "B"), ("a", None), ("", None),
     ("A or B", None), ("A is thorough, B is not.", None), ("It is fine\nEQUAL\n\n", "EQUAL")],
)  # fmt: skip
def test_only_a_word_that_decides_is_a_verdict(said: str, verdict: str | None) -> None:
    assert read_verdict(said) == verdict
