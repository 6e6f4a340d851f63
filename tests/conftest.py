"""Tests reach no other host: the Hugging Face libraries are told so before anything imports them.

With TEST_DEVICE=cuda bases are loaded there wherever a test names no device.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

if device := os.environ.get("TEST_DEVICE"):
    from clm.llm import base

    base.load_base.__defaults__ = (device, "float32")
