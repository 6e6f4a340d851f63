"""Generation with many experts in one batch, against the plainest way to compute the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clm.errors import InvalidInput, NotFound, TamperedArtifact, UnsafeModel
from clm.llm.base import Base, load_base
from clm.llm.decoder import Expert, Layout
from clm.llm.experts import load_expert, new_expert, save_expert
from clm.llm.prompts import example_ids
from clm.llm.runtime import GenerationRequest, Runtime
from tiny import tiny_base

PROMPTS = [[1, *range(10, 10 + n)] for n in (3, 9, 4, 30, 5, 17)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def base(folder: Path) -> Base:
    return load_base(folder, threads=1)


def _expert(base: Base, seed: int) -> Expert:
    expert = new_expert(base, first_layer=2, rank=4, alpha=8, seed=seed)
    random = torch.Generator().manual_seed(seed)
    changed = {k: (a.cpu(), torch.randn(b.shape, generator=random) * 0.2) for k, (a, b) in expert.weights.items()}
    return Expert(changed, 4, 8).to(base.model.device, base.model.dtype)


@pytest.fixture(scope="module")
def stored(base: Base, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return dict(save_expert(_expert(base, seed), base.hash, tmp_path_factory.mktemp("experts")) for seed in (1, 2))


@pytest.fixture
def runtime(base: Base, stored: dict[str, Path]) -> Runtime:
    runtime = Runtime(base)
    for expert_hash, path in stored.items():
        runtime.load_expert(expert_hash, path)
    return runtime


def _plainly(runtime: Runtime, prompt: list[int], expert_hash: str | None, tokens: int) -> list[int]:
    """Greedy without cache or batch: the whole sequence again for every token."""
    model, expert = runtime.base.model, runtime.experts.get(expert_hash or "")
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(tokens):
            hidden = model.embed(torch.tensor(ids, device=model.device))
            hidden = model.forward(hidden, Layout(0, 1, len(ids)), 0, runtime.base.layers, expert)
            ids.append(int(model.logits(hidden[-1:]).argmax()))
            if ids[-1] in runtime.base.tokenizer.end_ids:
                break
    return ids[len(prompt) :]


def test_a_mixed_batch_answers_as_each_prompt_alone(runtime: Runtime, stored: dict[str, Path]) -> None:
    first, second = stored
    experts = [None, first, second, first, None, second]
    requests = [
        GenerationRequest(p, e, max_new_tokens=m)
        for p, e, m in zip(PROMPTS, experts, (12, 3, 9, 12, 1, 7), strict=True)
    ]
    completions = runtime.generate(requests)
    for request, completion in zip(requests, completions, strict=True):
        tokens = _plainly(runtime, list(request.prompt_ids), request.expert_hash, request.max_new_tokens)
        shown = [t for t in tokens if t not in runtime.base.tokenizer.end_ids]
        assert completion.text == runtime.base.tokenizer.decode(shown)
        assert completion.prompt_tokens == len(request.prompt_ids)
        assert completion.completion_tokens == len(shown)
        assert completion.finish_reason == ("length" if len(shown) == len(tokens) else "stop")
    texts = {runtime.generate([GenerationRequest(PROMPTS[3], e, 12)])[0].text for e in (None, first, second)}
    assert len(texts) == 3  # the experts do change answers


def test_tokens_arrive_as_they_are_made_and_add_up(runtime: Runtime) -> None:
    seen: dict[int, str] = {0: "", 1: ""}
    requests = [GenerationRequest(p, None, 10) for p in PROMPTS[:2]]
    completions = runtime.generate(requests, on_token=lambda n, text: seen.update({n: seen[n] + text}))
    assert [seen[0], seen[1]] == [c.text for c in completions]


def test_a_row_can_be_stopped_while_others_go_on(runtime: Runtime) -> None:
    asked = [0]

    def stop_first(index: int) -> bool:
        asked[0] += index == 0
        return index == 0 and asked[0] > 2

    first, second = runtime.generate([GenerationRequest(p, None, 10) for p in PROMPTS[:2]], should_stop=stop_first)
    assert first.completion_tokens == 2 and first.finish_reason == "stop"
    assert second.completion_tokens == runtime.generate([GenerationRequest(PROMPTS[1], None, 10)])[0].completion_tokens


def test_stop_sequences_end_the_answer(runtime: Runtime) -> None:
    whole = runtime.generate([GenerationRequest(PROMPTS[1], None, 20)])[0].text
    stop = whole[4:6]
    cut = runtime.generate([GenerationRequest(PROMPTS[1], None, 20, stop=(stop,))])[0]
    assert cut.text == whole[: whole.index(stop)] and cut.finish_reason == "stop"


def test_sampling_follows_seed_temperature_and_nucleus(runtime: Runtime) -> None:
    def ask(**settings: Any) -> str:
        return runtime.generate([GenerationRequest(PROMPTS[0], None, 20, **settings)])[0].text

    assert ask(temperature=1.0, seed=4) == ask(temperature=1.0, seed=4)
    assert len({ask(temperature=1.0, seed=seed) for seed in range(4)}) > 1
    assert ask(temperature=1.0, top_p=1e-9, seed=4) == ask()  # the nucleus is one token


def test_features_do_not_depend_on_batch_mates_or_experts(base: Base, runtime: Runtime) -> None:
    together = runtime.features(PROMPTS)
    assert together.shape == (len(PROMPTS), base.hidden_size) and together.dtype == np.float32
    for prompt, row in zip(PROMPTS, together, strict=True):
        np.testing.assert_allclose(Runtime(base).features([prompt])[0], row, atol=1e-4)
        with torch.inference_mode():
            hidden = base.model.embed(torch.tensor(prompt, device=base.model.device))
            hidden = base.model.forward(hidden, Layout(0, 1, len(prompt)), 0, 1).cpu()
        np.testing.assert_allclose(row, hidden.mean(0).numpy(), atol=1e-4)


def test_likelihood_is_the_mean_over_labelled_tokens(base: Base, runtime: Runtime, stored: dict[str, Path]) -> None:
    examples = [
        example_ids(base.tokenizer, "completion", {"prompt": "q", "completion": "yes indeed"}),
        example_ids(base.tokenizer, "completion", {"prompt": "another one", "completion": "no"}),
        example_ids(base.tokenizer, "text", {"text": "plain text"}),
    ]
    expert_hash = next(iter(stored))
    found = runtime.log_likelihood(examples, expert_hash)
    for (ids, labels), value in zip(examples, found, strict=True):
        with torch.inference_mode():
            hidden = base.model.embed(torch.tensor(ids, device=base.model.device))
            hidden = base.model.forward(hidden, Layout(0, 1, len(ids)), 0, base.layers, runtime.experts[expert_hash])
            loss = torch.nn.functional.cross_entropy(base.model.logits(hidden[:-1]).cpu(), torch.tensor(labels[1:]))
        assert value == pytest.approx(-float(loss), abs=1e-4)
    with pytest.raises(InvalidInput, match="without any token"):
        runtime.log_likelihood([([5], [5])], None)


def test_wrong_requests_are_refused_in_words(runtime: Runtime) -> None:
    with pytest.raises(InvalidInput, match="without any token"):
        runtime.generate([GenerationRequest([])])
    with pytest.raises(InvalidInput, match="2047 at most"):
        runtime.generate([GenerationRequest([5] * 3000)])
    with pytest.raises(NotFound, match="loaded expert"):
        runtime.generate([GenerationRequest([5], "unknown")])
    assert runtime.generate([]) == []
    full = runtime.generate([GenerationRequest([5] * 2040, None, 64)])[0]
    assert full.completion_tokens <= 9  # the context ends


def test_experts_come_and_go(runtime: Runtime, stored: dict[str, Path], tmp_path: Path) -> None:
    expert_hash, path = next(iter(stored.items()))
    runtime.unload_expert(expert_hash)
    with pytest.raises(NotFound):
        runtime.generate([GenerationRequest([5], expert_hash)])
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    with (copy / "adapter_config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(TamperedArtifact):
        runtime.load_expert(expert_hash, copy)
    runtime.load_expert(expert_hash, path)


def _peft_logits(folder: Path, expert: Path, ids: list[int]) -> torch.Tensor:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model: Any = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), expert)
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0]


def _logits(base: Base, expert: Expert, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        hidden = base.model.embed(torch.tensor(ids, device=base.model.device))
        return base.model.logits(base.model.forward(hidden, Layout(0, 1, len(ids)), 0, base.layers, expert)).cpu()


def test_peft_computes_the_same_from_our_expert(folder: Path, base: Base, stored: dict[str, Path]) -> None:
    for path in stored.values():
        ours = _logits(base, load_expert(path, base), PROMPTS[3])
        torch.testing.assert_close(ours, _peft_logits(folder, path, PROMPTS[3]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"target_modules": ["q_proj", "down_proj"], "use_rslora": True}])
def test_an_expert_that_peft_made_is_loaded(folder: Path, base: Base, tmp_path: Path, settings: dict[str, Any]) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    chosen: dict[str, Any] = {
        "r": 4,
        "lora_alpha": 6,
        "target_modules": "all-linear",
        "init_lora_weights": False,
        **settings,
    }
    config = LoraConfig(**chosen)
    model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(folder), config)
    model.save_pretrained(tmp_path)
    ours = _logits(base, load_expert(tmp_path, base), PROMPTS[3])
    torch.testing.assert_close(ours, _peft_logits(folder, tmp_path, PROMPTS[3]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [("use_dora", True, "plain LoRA"), ("peft_type", "IA3", "plain LoRA"), ("modules_to_save", ["lm_head"], "plain"),
     ("base_model_name_or_path", "0" * 64, "was trained on base"), ("r", 3, "rank"), ("r", "many", "numbers")],
)  # fmt: skip
def test_other_adapters_are_refused(
    base: Base, stored: dict[str, Path], tmp_path: Path, key: str, value: object, says: str
) -> None:
    import json

    path = next(iter(stored.values()))
    config = json.loads((path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, key: value}))
    (tmp_path / "adapter_model.safetensors").write_bytes((path / "adapter_model.safetensors").read_bytes())
    with pytest.raises(UnsafeModel, match=says):
        load_expert(tmp_path, base)
