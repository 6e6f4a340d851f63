"""CLM: continuous learning for large language models, without forgetting."""

__version__ = "0.1.0"
