"""CLM: continuous learning for large language models, without forgetting."""

import os

__version__ = "0.1.0"

# How long a thread of torch's looks for its next piece of work before it sleeps; libgomp reads it when torch is loaded.
# Its own measure, some milliseconds, lets processes that share cores slow each other down many times over (an engine
# and a training do), and polars asks for none at all, which makes a training half as slow again (docs/experiments.md).
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
