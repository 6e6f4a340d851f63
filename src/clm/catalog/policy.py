"""A model's policy as something that people read, change and compare. Every revision is kept."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import ValidationError
from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.catalog import repository
from clm.catalog.service import get_model
from clm.catalog.tables import Model, PolicyRevision
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.events import publish
from clm.errors import Conflict, InvalidInput, NotFound
from clm.policies import ModelPolicy, Policy
from clm.records import Json

KNOWN = tuple(
    f"{section}.{name}"
    for section, field in ModelPolicy.model_fields.items()
    for name in cast("type[Policy]", field.annotation).model_fields
)


def parse(values: Mapping[str, Any]) -> ModelPolicy:
    """The policy that the values give over the defaults.

    Raises InvalidInput naming the setting: for an unknown one with the nearest known, else with what its bounds say.
    """
    try:
        return ModelPolicy.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            raise InvalidInput(f"There is no setting {name!r}. {_nearest(name)}", field=name) from None
        raise InvalidInput(f"{name or 'policy'}: {first['msg']}.", field=name) from None


def merge(policy: Mapping[str, Any], changes: Mapping[str, Any]) -> Json:
    """`policy` with `changes` laid over it, setting by setting; lists are replaced as a whole."""
    merged = dict(policy)
    for name, value in changes.items():
        below = merged.get(name)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[name] = merge(cast("Json", below), cast("Json", value)) if both else value
    return merged


def assignments(texts: list[str]) -> Json:
    """Changes from `training.rank=8`; the value is read as YAML. Raises InvalidInput where there is no `=`."""
    import yaml

    changes: Json = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise InvalidInput(f"Say the setting and its value, such as training.rank=8; got {text!r}.", field="set")
        try:
            nested: Any = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InvalidInput(f"The value of {path} can't be read: {error}.", field=path) from None
        for part in reversed(path.strip().split(".")):
            nested = {part: nested}
        changes = merge(changes, nested)
    return changes


def differences(before: ModelPolicy, after: ModelPolicy) -> list[Json]:
    """`{setting, before, after}` of each setting that is not the same."""
    old, new = dict(_leaves(before.model_dump(mode="json"))), dict(_leaves(after.model_dump(mode="json")))
    return [
        {"setting": name, "before": old.get(name), "after": new.get(name)}
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]


def edit(
    session: Session,
    caller: Caller,
    name: str,
    values: Mapping[str, Any],
    *,
    whole: bool = False,
    revision: int | None = None,
) -> tuple[Model, list[Json]]:
    """Changes a model's policy; returns the model and what is different now.

    `values` are laid over the policy as it is, or with `whole` over the defaults. `revision` is the one that the caller
    has seen: Conflict where another was made since. The same policy again makes no new revision.
    """
    model = get_model(session, name)
    if revision is not None and revision != model.revision:
        raise Conflict(
            f"The policy of {name!r} was changed meanwhile: you saw revision {revision}, it is at {model.revision}. "
            "Look again, then decide.",
            revision=model.revision,
        )
    before = ModelPolicy.model_validate(model.policy)
    after = parse(values if whole else merge(before.model_dump(mode="json"), values))
    changed = differences(before, after)
    if not changed:
        return model, []
    if session.get(PolicyRevision, (name, model.revision)) is None:  # of a model that was never edited
        session.add(_kept(model, None, model.created_at))
    model.policy = after.model_dump(mode="json")
    model.revision += 1
    session.add(_kept(model, caller, now()))
    audit(session, caller, "model.policy", "model", name,
          before={"revision": model.revision - 1, **{each["setting"]: each["before"] for each in changed}},
          after={"revision": model.revision, **{each["setting"]: each["after"] for each in changed}})  # fmt: skip
    publish(session, "model", name, model.revision)
    return model, changed


def at(session: Session, name: str, revision: int | None) -> ModelPolicy:
    """The policy as it is, or as it was at a revision."""
    model = get_model(session, name)
    if revision is None or revision == model.revision:
        return ModelPolicy.model_validate(model.policy)
    kept = session.get(PolicyRevision, (name, revision))
    if kept is None:
        known = ", ".join(str(row.revision) for row in revisions(session, name)) or str(model.revision)
        raise NotFound(f"The policy of {name!r} has no revision {revision}. Known: {known}.")
    return ModelPolicy.model_validate(kept.policy)


def revisions(session: Session, name: str) -> list[PolicyRevision]:
    """Oldest first; empty where the policy was never edited."""
    return repository.policy_revisions(session, name)


def _kept(model: Model, caller: Caller | None, moment: Any) -> PolicyRevision:
    return PolicyRevision(
        model=model.name, revision=model.revision, policy=dict(model.policy), created_at=moment,
        actor=caller.actor if caller else None, reason=caller.reason if caller else None,
    )  # fmt: skip


def _nearest(name: str) -> str:
    """By the whole name, else by its last part alone, for who forgot the section or took a wrong one."""
    last = {known.rpartition(".")[2]: known for known in reversed(KNOWN)}
    end = name.rpartition(".")[2]
    near = [last[end]] if end in last else difflib.get_close_matches(name, [*KNOWN, *ModelPolicy.model_fields], n=1,
                                                                     cutoff=0.7)  # fmt: skip
    near = near or [last[name_end] for name_end in difflib.get_close_matches(end, last, n=1)]
    if near:
        return f"Did you mean {near[0]!r}?"
    section = name.partition(".")[0]
    known = [each for each in KNOWN if each.startswith(f"{section}.")] or list(ModelPolicy.model_fields)
    return f"Known: {', '.join(known)}."


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(cast("Json", value), f"{path}{name}.")
        else:
            yield f"{path}{name}", value
