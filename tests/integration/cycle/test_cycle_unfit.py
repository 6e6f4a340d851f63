"""Rows that were fit when they came and are not any more: left out, named and counted, and the update goes on."""

from collections.abc import Callable

from clm.orchestration.stages import Work
from clm.orchestration.tables import Update
from cycle_home import Home

LONG = "red and " * 40  # 321 tokens with its end


def lower(home: Home, update_id: str, longest: int) -> None:
    with home.database.transaction() as session:
        update = session.get_one(Update, update_id)
        update.policy = {**update.policy, "training": {**update.policy["training"], "max_tokens": longest}}


def test_a_long_row_is_left_out_by_itself(make_home: Callable[..., Home]) -> None:
    home = make_home()
    home.take("colour", [{"prompt": "paint all", "completion": LONG}])
    work, update = Work(home.settings, home.database), home.ask_for_update("colour")
    snapshot, _, _ = work.snapshot(update)
    mixture, detail, _ = work.mixture(update, snapshot)
    assert (mixture.new_rows, detail["unfit"]) == (49, 0)

    lower(home, update, 64)
    mixture, detail, said = work.mixture(update, snapshot)
    [record] = mixture.unfit
    assert (mixture.new_rows, detail["unfit"], detail["held"]) == (48, 1, 0)
    assert "at most 63" in detail["left_out"][record]
    assert f"1 can't be trained on and were left out: {record}" in said

    lower(home, update, 16)  # "paint 1 red" is cut, no answer is longer: only the one that was
    assert work.mixture(update, snapshot)[0].new_rows == 48
