"""Lets compositions answer suites, routed as in production, and scores them. A library: no server, no database.

Routing is part of what is evaluated: the router reads the prompt and nothing else. Torch and the base's weights are
loaded when the first answer is missing in the store, so an evaluation of known answers costs a second.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from clm.errors import TrainingFailed
from clm.evaluation.answer_store import AnswerStore, answer_key, features_key, likelihood_key
from clm.evaluation.choices import likeliest, variants
from clm.evaluation.judge import Judge, Pair
from clm.evaluation.lazy_model import LazyModel
from clm.evaluation.metrics import ANSWER_METRICS, CHOICE, JUDGE, LIKELIHOOD_METRICS, check_metric, exact_match
from clm.evaluation.sequential import examining_order, look_sizes
from clm.formats.answers import AnswerRow
from clm.formats.suites import SuiteExample
from clm.jobs.job import Stored
from clm.llm.blends import blend_name
from clm.llm.prompts import completion_text, example_ids, prompt_ids, request_text, routing_ids
from clm.llm.router import load_router
from clm.records import BASE, Metric

if TYPE_CHECKING:
    from clm.llm.runtime import Runtime

CHUNK = 64  # examples that are answered before their answers are saved

Suites = Mapping[str, list[SuiteExample]]
Route = tuple[tuple[str, float], ...]  # experts that answer, the nearest first, with their weights; or BASE alone
OnProgress = Callable[[int, int], None]  # examples done, examples that had to be answered at all
Enough = Callable[[str, Sequence[AnswerRow]], bool]  # task and its answers so far


@dataclass(frozen=True)
class Candidate:
    """A composition with the places of its parts."""

    experts: Mapping[str, Stored] = field(default_factory=dict[str, Stored])
    router: Stored | None = None

    def expert_hash(self, route: Route) -> str | None:
        """The hash of the expert that answers, the name of the mixture, or None for the base."""
        parts = [(self.experts[task].hash, weight) for task, weight in route if task in self.experts]
        return blend_name(parts) if parts else None


class Evaluator:
    """Answers suites for one composition after another; what one composition answered, the next one reuses."""

    def __init__(
        self,
        model: LazyModel,
        store: AnswerStore,
        suites: Suites,
        metrics: Mapping[str, Metric],
        max_new_tokens: int,
        on_progress: OnProgress | None = None,
        judge: Judge | None = None,
    ) -> None:
        for task in suites:
            check_metric(metrics[task])
        self._judge = judge
        self._model = model
        self._store = store
        self._suites = suites
        self._metrics = metrics
        self._cap = max_new_tokens  # as served: who never comes to an end is wrong
        self._on_progress = on_progress or (lambda _done, _total: None)
        self._likelihoods_too = True
        self._done = 0
        self._total = 0

    def evaluate(
        self,
        candidate: Candidate,
        tasks: Collection[str] | None = None,
        enough: Enough | None = None,
        likelihoods: bool = True,
    ) -> list[AnswerRow]:
        """One row per example of every suite, or of these tasks' suites, in the suites' order.

        `enough` is asked at every look of `clm.evaluation.sequential` whether a task's answers so far will do.
        `likelihoods`: of the right answers are measured too, where answers are generated.
        """
        self._likelihoods_too = likelihoods
        suites = {task: examples for task, examples in self._suites.items() if tasks is None or task in tasks}
        routes = self._route(candidate, suites)
        rows: list[AnswerRow] = []
        for task, examples in suites.items():
            if enough is None:
                rows += self._answer(candidate, task, examples, routes)
            else:
                rows += self._answer_until(candidate, task, examples, routes, enough)
        return rows

    def _answer_until(
        self,
        candidate: Candidate,
        task: str,
        examples: Sequence[SuiteExample],
        routes: Mapping[str, Route],
        enough: Enough,
    ) -> list[AnswerRow]:
        by_id = {example.example_id: example for example in examples}
        order = examining_order(by_id)
        rows: list[AnswerRow] = []
        for size in look_sizes(len(order)):
            rows += self._answer(candidate, task, [by_id[name] for name in order[len(rows) : size]], routes)
            if size < len(order) and enough(task, rows):
                break
        place = {name: position for position, name in enumerate(by_id)}
        return sorted(rows, key=lambda row: place[row.example_id])

    def _answer(
        self, candidate: Candidate, task: str, examples: Sequence[SuiteExample], routes: Mapping[str, Route]
    ) -> list[AnswerRow]:
        routed = [routes[example.prompt_hash] for example in examples]
        if self._metrics[task] == CHOICE:
            return self._by_choice(candidate, examples, routed)
        if self._metrics[task] in LIKELIHOOD_METRICS:
            return self._by_likelihood(candidate, task, examples, routed)
        return self._by_answer(candidate, task, examples, routed)

    def _route(self, candidate: Candidate, suites: Suites) -> dict[str, Route]:
        """By prompt hash."""
        prompts = {example.prompt_hash: example for examples in suites.values() for example in examples}
        if candidate.router is None or not candidate.experts:
            return dict.fromkeys(prompts, ((BASE, 1.0),))
        router = load_router(candidate.router.path, candidate.router.hash)
        keys = {prompt: features_key(router.point, prompt) for prompt in prompts}
        features = self._store.features(keys.values())
        missing = [prompt for prompt in prompts if keys[prompt] not in features]
        self._expect(len(missing))
        for start in range(0, len(missing), CHUNK):
            part = missing[start : start + CHUNK]
            ids = [routing_ids(self._model.tokenizer, prompts[p].shape, prompts[p].content) for p in part]
            point = router.point or self._model.runtime.base.old_reading
            fresh = dict(zip((keys[p] for p in part), self._model.runtime.features(ids, point), strict=True))
            self._store.save_features(fresh)
            features.update(fresh)
            self._advance(len(part))
        read = np.stack([features[key] for key in keys.values()])
        return dict(zip(prompts, map(tuple, router.mix(read)), strict=True))

    def _by_answer(
        self, candidate: Candidate, task: str, examples: Sequence[SuiteExample], routed: Sequence[Route]
    ) -> list[AnswerRow]:
        cap = self._cap
        keys = [answer_key(candidate.expert_hash(r), e.prompt_hash, cap) for e, r in zip(examples, routed, strict=True)]
        known = self._store.answers(keys)
        asked = {k: (e, r) for k, e, r in zip(keys, examples, routed, strict=True) if k not in known}
        answers = {**known, **self._generate(candidate, asked, cap)}
        scores = self._scored(task, examples, [answers[key] for key in keys])
        likely = self._likelihoods(candidate, examples, routed) if self._likelihoods_too else []
        rows: list[AnswerRow] = []
        for place, (key, example, route) in enumerate(zip(keys, examples, routed, strict=True)):
            likelihood = likely[place][0] if likely else None
            rows.append(self._row(candidate, example, route, answers[key], scores[place], key in known, likelihood))
        return rows

    def _scored(self, task: str, examples: Sequence[SuiteExample], answers: Sequence[str]) -> list[float]:
        """In [0, 1]; NaN where a judge was asked and gave no verdict."""
        references = [completion_text(example.shape, example.content) for example in examples]
        if self._judge is not None and self._metrics[task] == JUDGE:
            requests = [request_text(example.shape, example.content) for example in examples]
            return self._judge.scores([Pair(*each) for each in zip(requests, answers, references, strict=True)])
        metric = ANSWER_METRICS[self._metrics[task]]
        return [metric(answer, reference) for answer, reference in zip(answers, references, strict=True)]

    def _row(
        self,
        candidate: Candidate,
        example: SuiteExample,
        route: Route,
        said: str | None,
        score: float,
        known: bool,
        likelihood: float | None = None,
    ) -> AnswerRow:
        is_stale = said is not None and score < 1 and any(exact_match(said, old) for old in example.old_answers)
        return AnswerRow(
            task=example.task,
            example_id=example.example_id,
            prompt_hash=example.prompt_hash,
            routed=route[0][0],
            expert_hash=candidate.expert_hash(route),
            answer=said,
            reference=completion_text(example.shape, example.content),
            score=score,
            max_new_tokens=self._cap if said is not None else None,
            reused=known,
            slice=example.slice,
            kind=example.kind,
            likelihood=likelihood,
            stale=is_stale,
        )

    def _generate(
        self, candidate: Candidate, asked: Mapping[str, tuple[SuiteExample, Route]], cap: int
    ) -> dict[str, str]:
        self._expect(len(asked))
        answers: dict[str, str] = {}
        pending = list(asked.items())
        for start in range(0, len(pending), CHUNK):
            from clm.llm.runtime import GenerationRequest

            part = pending[start : start + CHUNK]
            requests = [
                GenerationRequest(
                    prompt_ids=prompt_ids(self._model.tokenizer, example.shape, example.content),
                    expert_hash=candidate.expert_hash(route),
                    max_new_tokens=cap,
                )
                for _, (example, route) in part
            ]
            runtime = self._with_experts(candidate, [route for _, (_, route) in part])
            fresh = {
                key: completion.text for (key, _), completion in zip(part, runtime.generate(requests), strict=True)
            }
            self._store.save_answers(fresh)
            answers.update(fresh)
            self._advance(len(part))
        return answers

    def _by_likelihood(
        self, candidate: Candidate, task: str, examples: Sequence[SuiteExample], routed: Sequence[Route]
    ) -> list[AnswerRow]:
        metric = LIKELIHOOD_METRICS[self._metrics[task]]
        likelihoods = self._likelihoods(candidate, examples, routed)
        return [
            self._row(candidate, example, route, None, metric(value), known)
            for (value, known), example, route in zip(likelihoods, examples, routed, strict=True)
        ]

    def _by_choice(
        self, candidate: Candidate, examples: Sequence[SuiteExample], routed: Sequence[Route]
    ) -> list[AnswerRow]:
        """1.0 where the right choice is the likeliest. What was chosen is no answer that the release would give."""
        offered = [variants(example) for example in examples]
        routes = [route for route, choices in zip(routed, offered, strict=True) for _ in choices]
        likelihoods = iter(self._likelihoods(candidate, [one for choices in offered for one in choices], routes))
        rows: list[AnswerRow] = []
        for example, route, choices in zip(examples, routed, offered, strict=True):
            values = [next(likelihoods) for _ in choices]
            chosen = likeliest(self._model.tokenizer, choices, [value for value, _ in values])
            reference = completion_text(example.shape, example.content)
            right, known = float(chosen == reference), all(known for _, known in values)
            rows.append(self._row(candidate, example, route, None, right, known))
        return rows

    def _likelihoods(
        self, candidate: Candidate, examples: Sequence[SuiteExample], routed: Sequence[Route]
    ) -> list[tuple[float, bool]]:
        """Per example: mean log-likelihood of its answer's tokens, and whether it was known."""
        keys = [likelihood_key(candidate.expert_hash(r), e.content_hash) for e, r in zip(examples, routed, strict=True)]
        known = self._store.likelihoods(keys)
        values = dict(known)
        by_route: dict[Route, dict[str, SuiteExample]] = {}
        for key, example, route in zip(keys, examples, routed, strict=True):
            if key not in known:
                by_route.setdefault(route, {})[key] = example
        self._expect(sum(map(len, by_route.values())))
        for route, missing in by_route.items():
            pairs = list(missing.items())
            for start in range(0, len(pairs), CHUNK):
                values.update(self._measure(candidate, route, pairs[start : start + CHUNK]))
        return [(values[key], key in known) for key in keys]

    def _measure(
        self, candidate: Candidate, route: Route, pairs: Sequence[tuple[str, SuiteExample]]
    ) -> dict[str, float]:
        runtime = self._with_experts(candidate, [route])
        ids = [example_ids(self._model.tokenizer, example.shape, example.content) for _, example in pairs]
        values = runtime.log_likelihood(ids, candidate.expert_hash(route))
        measured = {key: float(value) for (key, _), value in zip(pairs, values, strict=True)}
        broken = next((example for key, example in pairs if math.isnan(measured[key])), None)
        if broken is not None:
            raise TrainingFailed(f"The likelihood of held-out example {broken.example_id} is not a number: the weights "
                                 "that answered it are broken.")  # fmt: skip
        self._store.save_likelihoods(measured)
        self._advance(len(pairs))
        return measured

    def _with_experts(self, candidate: Candidate, routes: Sequence[Route]) -> "Runtime":
        for task in sorted({task for route in routes for task, _ in route} & candidate.experts.keys()):
            self._model.runtime.load_expert(candidate.experts[task].hash, candidate.experts[task].path)
        return self._model.runtime

    def _expect(self, examples: int) -> None:
        self._total += examples

    def _advance(self, examples: int) -> None:
        self._done += examples
        self._on_progress(self._done, self._total)
