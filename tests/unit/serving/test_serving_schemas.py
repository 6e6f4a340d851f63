"""A wish is met, or refused by its name: none is taken and then forgotten."""

from typing import Any

import pytest
from pydantic import ValidationError

from clm.serving.gateway.schemas import ChatRequest, PromptRequest

MESSAGES = [{"role": "user", "content": "Hi"}]
UNMET = [{"made_up": 1}, {"top_k": 40}, {"logit_bias": {"5": 1}}, {"tools": [{"type": "function"}]}]


@pytest.mark.parametrize("unmet", UNMET)
def test_an_unmet_wish_is_refused_by_its_name(unmet: dict[str, Any]) -> None:
    for kind, asked in ((ChatRequest, {"messages": MESSAGES}), (PromptRequest, {"prompt": "Hi"})):
        kind.model_validate({"model": "m", **asked})
        with pytest.raises(ValidationError, match=f"{next(iter(unmet))} can't be served"):
            kind.model_validate({"model": "m", **asked, **unmet})


def test_an_unmet_wish_inside_a_message_is_refused_too() -> None:
    with pytest.raises(ValidationError, match="made_up can't be served"):
        ChatRequest.model_validate({"model": "m", "messages": [MESSAGES[0] | {"made_up": 1}]})


def test_a_wish_without_effect_is_taken() -> None:
    ChatRequest.model_validate({"model": "m", "messages": MESSAGES, "store": True, "top_k": None, "tools": []})
