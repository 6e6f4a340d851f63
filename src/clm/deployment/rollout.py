"""The rollout as a state machine. Pure: it says what the next state is; clm.deployment.service makes it so.

waiting ──ready──> running ──step-on──> running … ──step-on──> promoted
                   │   ▲                                          ▲
              pause▼   │resume                                    │
                   paused ──────────────promote───────────────────┘
waiting, running, paused ──abort──> aborted         (a person stopped it)
waiting, running, paused ──roll-back──> rolled-back (the analysis or a person took it back)
"""

from dataclasses import dataclass, replace
from typing import Literal

from clm.errors import Conflict

State = Literal["waiting", "running", "paused", "promoted", "aborted", "rolled-back"]
Event = Literal["ready", "step-on", "pause", "resume", "promote", "abort", "roll-back"]
Action = Literal["promote", "pause", "resume", "abort", "rollback"]

UNDER_WAY: tuple[State, ...] = ("waiting", "running", "paused")
ENDED: tuple[State, ...] = ("promoted", "aborted", "rolled-back")

# What may happen in which state. "ready" and "step-on" may lead to promoted instead, see transition().
_NEXT: dict[State, dict[Event, State]] = {
    "waiting": {"ready": "running", "abort": "aborted", "roll-back": "rolled-back"},
    "running": {
        "step-on": "running",
        "pause": "paused",
        "promote": "promoted",
        "abort": "aborted",
        "roll-back": "rolled-back",
    },
    "paused": {"resume": "running", "promote": "promoted", "abort": "aborted", "roll-back": "rolled-back"},
    "promoted": {},
    "aborted": {},
    "rolled-back": {},
}
_ACTIONS: dict[Action, Event] = {
    "promote": "promote",
    "pause": "pause",
    "resume": "resume",
    "abort": "abort",
    "rollback": "roll-back",
}


@dataclass(frozen=True)
class Rollout:
    """`shares` are the canary steps in percent, rising; none: the switch is made at once (blue-green)."""

    state: State
    shares: tuple[float, ...]
    step: int = 0  # index into shares

    @property
    def candidate_share(self) -> float:
        """Percent of the model's requests that the candidate answers. A promoted one is the champion: 100."""
        if self.state == "promoted":
            return 100.0
        return self.shares[self.step] if self.state in ("running", "paused") else 0.0


def start(kind: str, shares: tuple[float, ...]) -> Rollout:
    """A rollout that waits for the engine to hold the release."""
    return Rollout("waiting", shares if kind == "canary" else ())


def allowed_actions(state: State) -> tuple[Action, ...]:
    """What a person may do now; empty when it has ended."""
    return tuple(action for action, event in _ACTIONS.items() if event in _NEXT[state])


def event_of(action: Action) -> Event:
    return _ACTIONS[action]


def transition(rollout: Rollout, event: Event) -> Rollout:
    """The rollout after the event. Raises Conflict, naming what is possible, where the state doesn't allow it."""
    state = _NEXT[rollout.state].get(event)
    if state is None:
        possible = ", ".join(allowed_actions(rollout.state)) or "nothing, it has ended"
        raise Conflict(
            f"A rollout that is {rollout.state} can't {event.replace('-', ' ')}. Possible now: {possible}.",
            state=rollout.state,
        )
    if event == "ready" and not rollout.shares:
        return replace(rollout, state="promoted")
    if event == "step-on":
        last = rollout.step == len(rollout.shares) - 1
        return replace(rollout, state="promoted") if last else replace(rollout, step=rollout.step + 1)
    return replace(rollout, state=state)
