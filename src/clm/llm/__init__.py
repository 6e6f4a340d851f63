"""The language model in memory: one implementation, shared by trainer, evaluator and engine."""

import os

# Threads that wait in a spin starve each other where several processes share the cores: up to seven times slower.
# Read by OpenMP when torch is first imported, so it stands here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
