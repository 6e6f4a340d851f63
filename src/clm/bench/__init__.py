"""Benchmarks: `clm bench NAME`. Each is a module that prints one JSON line; see docs/benchmarks.md."""
