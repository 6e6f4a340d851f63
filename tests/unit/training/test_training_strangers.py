"""What a task's prompts begin with, and general requests behind it."""

from pathlib import Path

import numpy as np
import pytest

from clm.errors import InvalidInput
from clm.llm.base import Base, load_base
from clm.llm.general_prompts import GENERAL_PROMPTS
from clm.llm.points import Point
from clm.llm.prompts import chat_ids
from clm.llm.router import Seen, load_features, save_features
from clm.llm.runtime import Runtime
from clm.records import Json
from clm.training.examples import Example
from clm.training.routing import fit, point_of, see
from clm.training.strangers import Instruction, instruction_of, strangers
from tiny import tiny_base

ASK = "Name the colour.\n\n"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


def asked(*prompts: str) -> list[Example]:
    return [Example(str(n), "completion", {"prompt": prompt, "completion": "x"}) for n, prompt in enumerate(prompts)]


def talked(system: str, *prompts: str) -> list[Example]:
    def content(prompt: str) -> Json:
        said = [("system", system), ("user", prompt), ("assistant", "x")]
        return {"messages": [{"role": role, "content": text} for role, text in said]}

    return [Example(str(n), "messages", content(prompt)) for n, prompt in enumerate(prompts)]


def test_an_instruction_is_whole_lines_that_all_prompts_begin_with() -> None:
    assert instruction_of(asked(*(f"{ASK}a {word}" for word in "bcde"))) == Instruction([], ASK)
    same_words = asked(*(f"what does the {thing} cost" for thing in ("lamp", "vase", "oven", "cup")))
    assert instruction_of(same_words) is None  # how customers begin is no instruction
    assert instruction_of(asked(*(f"{ASK}{n}" for n in range(3)))) is None  # too few to tell
    assert instruction_of([*asked(*(f"{ASK}{n}" for n in range(5))), *asked("hello")]) is None
    texts = [Example(str(n), "text", {"text": f"{ASK}{n}"}) for n in range(5)]
    assert instruction_of(texts) is None
    found = instruction_of(talked("Be kind.", *"abcd"))
    assert found == Instruction([{"role": "system", "content": "Be kind."}], "")
    assert instruction_of([*talked("Be kind.", *"abcd"), *talked("Be short.", "e")]) is None


def test_general_requests_are_read_alone_in_two_wordings_and_behind_an_instruction(base: Base) -> None:
    plain, typed = strangers(base, base.reading)
    (told,) = strangers(base, base.reading, Instruction([], ASK))
    assert plain.shape == typed.shape == told.shape == (len(GENERAL_PROMPTS), base.hidden_size)
    ids = chat_ids(base.tokenizer, [{"role": "user", "content": ASK + GENERAL_PROMPTS[2]}])
    np.testing.assert_allclose(told[2], Runtime(base).features([ids])[0], atol=1e-5)
    assert strangers(base, base.reading)[0] is plain  # not read twice


def test_what_is_seen_of_a_task_is_kept_with_its_point_and_its_strangers(base: Base, tmp_path: Path) -> None:
    seen = see(base, asked(*(f"{ASK}a {word}" for word in "bcde")), base.reading)
    kept = load_features(save_features(seen, tmp_path)[1])
    assert seen.strangers is not None and kept.point == base.reading
    np.testing.assert_array_equal(kept.strangers, seen.strangers)
    assert see(base, asked(*"bcde"), base.reading).strangers is None
    router = fit(base, {"colour": seen}, seed=1)
    assert router.point == base.reading
    assert len(router.discriminant.centres) == 1 + 3  # one class, and strangers in two wordings and behind the words


def test_features_from_before_keep_their_point_and_are_not_mixed_with_new_ones(base: Base) -> None:
    rows = asked(*(f"{ASK}a {word}" for word in "bcde"))
    old = see(base, rows, base.old_reading)
    before = Seen(old.features, old.answers, None)  # as features were kept when there was one point only
    assert point_of(base, {"colour": before, "town": old}) == base.old_reading
    assert fit(base, {"colour": before}, seed=1).point == base.old_reading
    assert point_of(base, {}) == base.reading == Point(1, "mean")
    with pytest.raises(InvalidInput, match="mean of layer 1 for town; mean and last of layer 2 for colour"):
        point_of(base, {"colour": before, "town": see(base, rows, base.reading)})
