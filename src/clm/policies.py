"""Policies: what an operator decides once per model. Frozen, bounded, saved with what they produced.

Loadable from YAML (`clm model create --policy FILE`, see config/policy.yaml); unknown keys are refused.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny, model_validator

from clm.strategies import StrategyOptions, by_name, check_composition


class Policy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Chosen = Annotated[SerializeAsAny[StrategyOptions], BeforeValidator(by_name)]
Strategies = Annotated[tuple[Chosen, ...], Field(min_length=1)]


class TrainingPolicy(Policy):
    """Hyper-parameters of one expert (LoRA, Hu et al. 2021, arXiv:2106.09685), and how forgetting is prevented."""

    strategies: Annotated[Strategies, Field(description="continual-learning methods, composed")] = (by_name("experts"),)
    rank: Annotated[int, Field(ge=1, le=256, description="LoRA rank")] = 16
    alpha: Annotated[float, Field(gt=0, le=1024, description="LoRA scale numerator; scale = alpha / rank")] = 32
    trunk_layers: Annotated[int | None, Field(ge=0, description="frozen lower layers; none: half of them")] = None
    length: Annotated[
        Literal["auto", "epochs"], Field(description="auto: for as long as rows that are held back get better")
    ] = "auto"
    epochs: Annotated[int, Field(ge=1, le=100, description="passes over the mixture, where length is epochs")] = 3
    least_steps: Annotated[int, Field(ge=2, le=100_000, description="auto: steps, at least")] = 120
    most_steps: Annotated[int, Field(ge=2, le=1_000_000, description="auto: steps, at most")] = 5000
    most_minutes: Annotated[float, Field(gt=0, le=100_000, description="auto: by the clock, a net only")] = 240
    held_back: Annotated[float, Field(ge=0, le=0.5, description="auto: share of the new rows that is asked")] = 0.1
    learning_rate: Annotated[float, Field(gt=0, le=0.01, description="peak; it warms up, and falls at the end")] = 1e-3
    refresh_rate: Annotated[
        float, Field(gt=0, le=1, description="of learning_rate, where a task's expert is trained further (experts)")
    ] = 0.4
    warmup_share: Annotated[
        float, Field(ge=0, le=0.5, description="of the steps that warm up; auto: of least_steps")
    ] = 0.1
    batch_size: Annotated[int, Field(ge=1, le=512, description="examples per step")] = 4
    max_tokens: Annotated[
        int,
        Field(ge=16, le=8192, description="longest example; longer lose the beginning of their prompt, never answer"),
    ] = 512
    gradient_clip: Annotated[float, Field(gt=0, le=100, description="L2 norm bound")] = 1.0
    replay_share: Annotated[
        float, Field(ge=0, le=1, description="replayed old rows of the task per new row, on a refresh (experts)")
    ] = 0.5
    replay_rows: Annotated[
        int, Field(ge=0, le=100_000, description="replayed rows of a refreshed task at the least, however few are new")
    ] = 200
    checkpoint_every: Annotated[int, Field(ge=1, description="steps between checkpoints")] = 20
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 17

    @model_validator(mode="after")
    def _epochs_alone(self) -> Self:
        """Epochs that come without a length are meant to count: as in every policy from before there was `length`."""
        if "epochs" in self.model_fields_set and "length" not in self.model_fields_set:
            object.__setattr__(self, "length", "epochs")  # frozen for everybody but its own validation
        return self

    def refreshing(self) -> "TrainingPolicy":
        """The same for an expert that goes on: at the full rate more of what it knows would be turned round."""
        return self.model_copy(update={"learning_rate": self.learning_rate * self.refresh_rate})

    @model_validator(mode="after")
    def _compatible(self) -> "TrainingPolicy":
        check_composition(self.strategies)
        return self


class TriggerPolicy(Policy):
    """When new data is enough to update by itself."""

    volume: Annotated[int | None, Field(ge=1, description="accepted new rows of a task; none: only by hand")] = None


class GatePolicy(Policy):
    """Paired non-inferiority of the candidate against the champion, per task."""

    margin: Annotated[float, Field(gt=0, lt=1, description="tolerated loss, in score points of [0, 1]")] = 0.05
    confidence: Annotated[float, Field(ge=0.5, lt=1, description="one-sided")] = 0.95
    best_ever_margin: Annotated[
        float | None,
        Field(gt=0, lt=1, description="tolerated loss against the task's best release; none: twice margin"),
    ] = None
    overall_margin: Annotated[
        float | None,
        Field(gt=0, lt=1, description="tolerated loss of the tasks' average since each one's best; none: margin"),
    ] = None
    early_stop: Annotated[bool, Field(description="stop evaluating a task when its verdict is clear")] = True
    require_gain: Annotated[
        bool, Field(description="refuse an update that learned nothing of its task, or gains nothing on its new slice")
    ] = True


class MemoryPolicy(Policy):
    """Which old rows of a task are kept for replay, and how many."""

    policy: Annotated[
        Literal["random", "balanced", "diverse", "surprising", "feedback"], Field(description="how rows are chosen")
    ] = "balanced"
    rows: Annotated[int, Field(ge=0, le=1_000_000, description="per task, at most")] = 2000
    megabytes: Annotated[float, Field(gt=0, le=100_000, description="content per task, at most")] = 16.0


class SuitePolicy(Policy):
    """How large a task's exam gets. What an update leaves out of training is its slice of the suite."""

    slice_rows: Annotated[
        int, Field(ge=20, le=100_000, description="held-out examples of an old slice that stay in use, at most")
    ] = 200
    rows: Annotated[
        int, Field(ge=20, le=1_000_000, description="of all old slices together, though never below 20 of one")
    ] = 600
    recall: Annotated[
        int, Field(ge=0, le=100_000, description="taught prompts asked again, where a task is examined by recall")
    ] = 60
    contradicting_share: Annotated[
        float, Field(gt=0, le=1, description="of a delivery that may contradict what holds without following a rule")
    ] = 0.3
    contradicting_rows: Annotated[
        int, Field(ge=1, le=100_000, description="fewer contradicting rows than these are corrections, not a mix-up")
    ] = 5


class TransferPolicy(Policy):
    """Where a new task's expert starts: fresh, or from the most similar task's expert, decided on held-back rows."""

    enabled: bool = True
    trial_share: Annotated[float, Field(gt=0, le=1, description="of the steps, spent on the comparison")] = 0.15
    held_back: Annotated[float, Field(gt=0, le=0.5, description="share of the new rows that decides")] = 0.2


class PartsPolicy(Policy):
    """Whether an update of a task that has an expert trains that one further, or one more for the new rows."""

    grow: Annotated[
        Literal["auto", "never"], Field(description="auto: a further expert where held-back rows say it is better")
    ] = "auto"
    most_parts: Annotated[int, Field(ge=1, le=64, description="experts per task, at most")] = 8
    unseen: Annotated[
        float, Field(ge=0, le=1, description="share of new rows with new answers or places from which growing is tried")
    ] = 0.5
    held_back: Annotated[float, Field(gt=0, le=0.5, description="share of new and of old rows that decides")] = 0.2
    trial_epochs: Annotated[
        int, Field(ge=1, le=100, description="passes over the rows of a refresh's trial; growing gets as many steps")
    ] = 2
    consolidate: Annotated[bool, Field(description="make one expert of too many or confused parts, unasked")] = True
    confused: Annotated[
        float, Field(gt=0, le=1, description="share of held-out prompts that reach a part not taught their answer")
    ] = 0.15


class RepairPolicy(Policy):
    """What is tried before an update that failed the gate is rejected."""

    interpolate: Annotated[bool, Field(description="go from old to new in steps as long as they pass")] = True
    looks: Annotated[int, Field(ge=1, le=10, description="steps of the interpolation, at most")] = 3
    replay_tries: Annotated[int, Field(ge=0, le=5, description="trainings with more replay, at most")] = 1
    replay_factor: Annotated[float, Field(gt=1, le=10, description="replay share grows by this per try")] = 3.0
    route_tries: Annotated[
        int, Field(ge=0, le=5, description="routers with a handicap for the taught task, where others lost prompts")
    ] = 2
    handicap: Annotated[float, Field(gt=1, le=10, description="of distances to the taught task, grows by this")] = 1.1


class RolloutPolicy(Policy):
    """How traffic moves. Shares are of the model's requests, in percent."""

    kind: Literal["canary", "blue-green"] = "canary"
    steps: tuple[Annotated[float, Field(gt=0, lt=100)], ...] = (10, 50)
    minimum_requests: Annotated[int, Field(ge=1, description="candidate's requests per step before a verdict")] = 20
    minimum_seconds: Annotated[float, Field(ge=0, description="shortest stay on a step")] = 0
    max_error_rate: Annotated[float, Field(ge=0, le=1)] = 0.05
    max_latency_ratio: Annotated[float, Field(gt=1, description="candidate p95 / champion p95")] = 3.0
    max_latency_ms: Annotated[float, Field(gt=0, description="candidate p95")] = 60_000
    min_feedback: Annotated[float | None, Field(ge=0, le=1, description="mean score; none: not judged")] = None
    minimum_feedback: Annotated[int, Field(ge=1, description="scores needed before feedback is judged")] = 10

    @model_validator(mode="after")
    def _rising(self) -> "RolloutPolicy":
        if list(self.steps) != sorted(set(self.steps)):
            raise ValueError(f"steps must rise, such as (10, 50); got {self.steps}")
        return self


class GenerationPolicy(Policy):
    """Defaults of an answer where the request does not say."""

    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = 64
    temperature: Annotated[float, Field(ge=0, le=2, description="0: greedy, as the gate evaluates")] = 0.0


class ModelPolicy(Policy):
    training: TrainingPolicy = TrainingPolicy()
    trigger: TriggerPolicy = TriggerPolicy()
    memory: MemoryPolicy = MemoryPolicy()
    suite: SuitePolicy = SuitePolicy()
    transfer: TransferPolicy = TransferPolicy()
    parts: PartsPolicy = PartsPolicy()
    gate: GatePolicy = GatePolicy()
    repair: RepairPolicy = RepairPolicy()
    rollout: RolloutPolicy = RolloutPolicy()
    generation: GenerationPolicy = GenerationPolicy()
