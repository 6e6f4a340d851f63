from evaluation_world import prepare, world

__all__ = ["prepare", "world"]
