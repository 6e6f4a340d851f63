"""Names of blends of experts. Free of torch."""

from collections.abc import Sequence


def blend_name(parts: Sequence[tuple[str, float]]) -> str:
    """Of expert hashes with their weights; one expert alone keeps its own name."""
    if len(parts) == 1:
        return parts[0][0]
    return "+".join(f"{weight:.1f}*{expert}" for expert, weight in sorted(parts))


def parts_of(name: str) -> list[tuple[str, float]]:
    """Expert hashes with their weights; empty where the name is no blend's."""
    if "*" not in name:
        return []
    pairs = (part.split("*", 1) for part in name.split("+"))
    return [(expert, float(weight)) for weight, expert in pairs]
