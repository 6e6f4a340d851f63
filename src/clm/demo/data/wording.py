"""Wordings with alternatives: "(Where|In which town) is the {p} made?"."""

import random
import re

_ALTERNATIVES = re.compile(r"\(([^()]*\|[^()]*)\)")
PRODUCTS = {
    "Lumo": "lamp",
    "Brio": "speaker",
    "Tavi": "doorbell",
    "Orsa": "vacuum",
    "Fenn": "router",
    "Kelo": "kettle",
    "Pira": "heater",
    "Suva": "camera",
}


def fill(wording: str, dice: random.Random, **slots: str) -> str:
    """Chooses one of every "(a|b)", which may not nest, and puts the slots in."""
    chosen = _ALTERNATIVES.sub(lambda match: dice.choice(match[1].split("|")), wording)
    text = chosen.format(**slots)
    return text[0].upper() + text[1:]


def product_names(dice: random.Random, count: int) -> list[str]:
    """Different products as customers call them: "Lumo lamp", "Lumo" or "lamp"."""
    chosen = dice.sample(sorted(PRODUCTS), count)
    return [dice.choice([f"{name} {PRODUCTS[name]}", name, PRODUCTS[name]]) for name in chosen]
