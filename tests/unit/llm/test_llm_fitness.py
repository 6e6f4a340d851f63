"""What is let in can be trained on and examined: the check's word is held against the code that would fail."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clm.errors import InvalidInput
from clm.llm.fitness import Fitness, Unfit, fitness_of
from clm.llm.tokenizer import ChatTokenizer
from clm.records import Json, Shape
from clm.training.examples import Example, tokenise
from tiny import tiny_base

NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
POSITIONS = 2048  # of the tiny base; each of its tokens is a byte


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def fitness(base: Path) -> Fitness:
    return Fitness(ChatTokenizer(base), POSITIONS, max_tokens=64)


def said(found: Unfit | None) -> Unfit:
    assert found is not None
    return found


@given(
    shape=st.sampled_from(["completion", "preference", "messages", "text"]),
    prompt=st.integers(1, 200),
    answer=st.integers(1, 90),
)
@settings(max_examples=60, deadline=None)
def test_a_row_is_unfit_exactly_where_training_would_fail(
    fitness: Fitness, shape: Shape, prompt: int, answer: int
) -> None:
    q, a = "q" * prompt, "a" * answer
    turns = [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
    contents: dict[Shape, Json] = {
        "completion": {"prompt": q, "completion": a},
        "preference": {"prompt": q, "chosen": a, "rejected": "no"},
        "messages": {"messages": turns},
        "text": {"text": q + a},
    }
    content = contents[shape]
    examples = [Example("rec_1", shape, content)] * 2
    if fitness.training(shape, content) is None:
        assert all(len(row.ids) <= 64 for row in tokenise(fitness.tokenizer, examples, 64))
    else:
        with pytest.raises(InvalidInput, match="rec_1"):
            tokenise(fitness.tokenizer, examples, 64)


def test_a_long_answer_is_named_with_its_tokens_and_the_limit(fitness: Fitness) -> None:
    found = said(fitness.training("completion", {"prompt": "q", "completion": "a" * 2250}))
    assert found.field == "completion"
    assert "has 2251 tokens" in found.reason and "at most 63" in found.reason and "max_tokens" in found.reason
    assert fitness.training("completion", {"prompt": "q" * 5000, "completion": "a"}) is None  # cut on the left
    wide = Fitness(fitness.tokenizer, POSITIONS, max_tokens=8192)
    too_long = wide.training("preference", {"prompt": "q", "chosen": "a" * 2250, "rejected": "b"})
    assert said(too_long).field == "chosen" and "the base's context is 2048" in said(too_long).reason
    assert "fewer than two tokens" in said(fitness.training("text", {"text": "t"})).reason


def test_a_row_that_the_template_refuses_is_unfit_on_both_sides(tmp_path: Path) -> None:
    config = json.loads((tiny_base(tmp_path) / "tokenizer_config.json").read_text())
    config["chat_template"] = NO_SYSTEM + config["chat_template"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    strict = Fitness(ChatTokenizer(tmp_path), POSITIONS, 64)
    turns = [{"role": role, "content": "x"} for role in ("system", "user", "assistant")]
    for found in (strict.training("messages", {"messages": turns}),
                  strict.exam("messages", {"messages": turns}, "exact_match")):  # fmt: skip
        assert said(found).field == "messages" and "System role not supported" in said(found).reason
    assert strict.training("messages", {"messages": turns[1:]}) is None


def test_an_example_that_does_not_fit_the_context_can_not_be_asked(fitness: Fitness) -> None:
    assert fitness.exam("completion", {"prompt": "q" * 1900, "completion": "a"}, "exact_match") is None
    found = said(fitness.exam("completion", {"prompt": "q" * 2100, "completion": "a"}, "exact_match"))
    assert found.field == "prompt" and "at most 2047" in found.reason
    assert said(fitness.exam("text", {"text": "t" * 2100}, "perplexity")).field == "text"
    assert said(fitness.exam("completion", {"prompt": "q", "completion": "a" * 2100}, "token_f1")).field == "completion"


def test_an_example_scored_by_choice_needs_choices_that_all_fit(fitness: Fitness) -> None:
    content: Json = {"prompt": "q", "completion": "a"}
    assert said(fitness.exam("completion", content, "choice")).field == "choices"
    assert fitness.exam("completion", content | {"choices": ["a", "b"]}, "choice") is None
    assert fitness.exam("completion", content | {"choices": ["a", "b" * 2100]}, "choice") is not None


def test_without_the_base_or_its_packages_the_check_says_so(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(fitness_of(base, 512), Fitness)
    assert "not on this machine" in str(fitness_of(tmp_path / "gone", 512))
    monkeypatch.setattr("clm.llm.fitness.find_spec", lambda name: None)
    assert "extra `train`" in str(fitness_of(base, 512))
