"""The split: share, stickiness, selectors; and the routes file as gateway and engine read it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clm.core.files import write_bytes, write_json
from clm.errors import NotFound
from clm.formats.routes import Route, Routes
from clm.serving.gateway.split import choose, position
from clm.serving.routes import RoutesFile

CHAMPION, CANDIDATE, PREVIOUS = "a" * 64, "b" * 64, "c" * 64
shares = st.floats(0, 100)


def routes(share: float, candidate: str | None = CANDIDATE) -> Routes:
    return Routes(1, {"support": Route("support", "base", CHAMPION, PREVIOUS, candidate, share, 64, 0.0)})


def test_the_candidate_gets_its_share_of_conversations() -> None:
    chosen = [choose(routes(10), "support", f"conversation {n}").role for n in range(10_000)]
    assert abs(chosen.count("candidate") - 1000) <= 90  # 3 sigma


@given(shares, shares, st.text())
def test_a_conversation_stays_on_the_candidate_while_the_share_rises(one: float, other: float, key: str) -> None:
    low, high = sorted((one, other))
    if choose(routes(low), "support", key).role == "candidate":
        assert choose(routes(high), "support", key).role == "candidate"
    assert choose(routes(low), "support", key) == choose(routes(low), "support", key)


@given(st.text())
def test_nothing_and_everything(key: str) -> None:
    assert choose(routes(0), "support", key).release_id == CHAMPION
    assert choose(routes(100), "support", key).release_id == CANDIDATE
    assert choose(routes(50, None), "support", key).release_id == CHAMPION


def test_a_conversation_has_its_place_in_every_process() -> None:
    """Gateways restart and may be several: another place would move a conversation to the other side."""
    assert position("support", CANDIDATE, "conversation 7") == pytest.approx(42.762751)


def test_another_candidate_meets_other_conversations_first() -> None:
    first = {n for n in range(1000) if position("support", CANDIDATE, str(n)) < 10}
    second = {n for n in range(1000) if position("support", PREVIOUS, str(n)) < 10}
    assert len(first & second) < 0.4 * len(first)


def test_a_client_can_name_the_release() -> None:
    for selector, release in (("champion", CHAMPION), ("candidate", CANDIDATE), ("previous", PREVIOUS)):
        choice = choose(routes(0), f"support@{selector}", "x")
        assert (choice.release_id, choice.pinned, choice.may_fall_back) == (release, True, False)
        assert choose(routes(0), f"support@{release[:12]}", "x") == choice
    for unknown in ("support@dddddddd", "support@aaa", "support@shadow"):
        with pytest.raises(NotFound, match="Known: champion"):
            choose(routes(0), unknown, "x")
    with pytest.raises(NotFound, match=r"no model named 'gpt-4'\. Known: support"):
        choose(routes(0), "gpt-4", "x")


def test_the_file_is_read_again_when_replaced_and_kept_when_broken(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    file = RoutesFile(path)
    assert file.current() == Routes()
    model = {
        "base_hash": "base", "champion": CHAMPION, "previous": PREVIOUS, "candidate": CANDIDATE, "candidate_share": 10,
        "candidate_state": None, "generation": {"max_new_tokens": 64, "temperature": 0},
    }  # fmt: skip
    write_json(path, {"revision": 1, "models": {"support": model}})
    assert file.current() == routes(10)
    assert file.current().releases == {CHAMPION: "base", CANDIDATE: "base", PREVIOUS: "base"}
    write_json(path, {"revision": 2, "models": {"support": {**model, "candidate_share": 50}}})
    assert file.current().models["support"].candidate_share == 50
    for broken in (b"{", b"[]", json.dumps({"revision": 3, "models": {"support": {}}}).encode()):
        write_bytes(path, broken)
        assert file.current().revision == 2
    path.unlink()
    assert file.current().revision == 2
