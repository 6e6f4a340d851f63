"""The browser of the dashboard's tests: found on PATH, never downloaded."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Path of Chromium. Without one the test is skipped, on CI it fails: `make browser` should have installed it."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail("There is no Chromium on PATH, and CI must not skip the dashboard's tests. Run `make browser`.")
    pytest.skip("needs Chromium on PATH; `make browser` tells how to get it")
