"""What a durable step raised is raised again as the same when it is replayed."""

import importlib
import pkgutil

import pytest

import clm
from clm.errors import Cancelled, ClmError, InvalidInput
from clm.orchestration.serialization import JsonSerializer

SERIALIZER = JsonSerializer()


def again(error: Exception) -> object:
    return SERIALIZER.deserialize(SERIALIZER.serialize(error))


@pytest.mark.parametrize("kind", [Cancelled, InvalidInput, ClmError, RuntimeError])
def test_an_error_comes_back_as_what_it_was(kind: type[Exception]) -> None:
    found = again(kind("Cancelled while it ran."))
    assert type(found) is kind and str(found) == "Cancelled while it ran."


def test_every_error_that_orchestration_can_raise_stays_a_sentence() -> None:
    for module in pkgutil.walk_packages(clm.__path__, "clm."):
        if module.name.startswith(("clm.orchestration", "clm.registry", "clm.jobs", "clm.store")):
            importlib.import_module(module.name)
    kinds = list(ClmError.__subclasses__())
    assert len(kinds) > 5
    for kind in kinds:
        found = again(kind("A sentence."))
        assert isinstance(found, ClmError) and found.sentence == "A sentence."


def test_an_error_of_another_library_is_none_of_ours() -> None:
    assert type(again(KeyError("x"))) is RuntimeError
