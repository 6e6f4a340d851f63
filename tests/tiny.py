"""The tiny random base of the benchmarks, for tests: trained on a handful of examples, it shows the machinery."""

from clm.bench.tiny_model import tiny_base

__all__ = ["tiny_base"]
