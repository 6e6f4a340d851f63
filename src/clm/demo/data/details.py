"""Task `details`: order, item and wish of a message, as compact JSON, past other orders, items and numbers."""

import random

from clm.core.hashing import canonical_json
from clm.demo.data.wording import PRODUCTS, fill

# What customers want, by name: wordings for training, and others that only held-out rows use. None names the wish.
WISHES = {
    "refund": (
        [
            "(Please send|I want|Give) me my money back.",
            "(Please pay|Just pay) the full price back to my card.",
            "I would like the money (again|returned to me).",
            "I don't need it any more, (so please pay me back|pay me back).",
        ],
        ["Please give back what I paid.", "I want the price back, nothing else."],
    ),
    "swap": (
        [
            "(Please send|Send) me (a new one|another one) instead.",
            "I want a (different|new) one for it.",
            "Can I have another colour in its place?",
            "Please take it back and give me a (working|bigger) one.",
        ],
        ["I would like another one instead.", "Can you send a new one in its place?"],
    ),
    "repair": (
        [
            "Can you (fix|mend) it?",
            "(Please have|Have) somebody look at it and get it going again.",
            "I want it to work again, (not a new one|no money back).",
            "(Please make|Make) it work again.",
        ],
        ["Please mend it for me.", "Can somebody get it to work again?"],
    ),
    "cancel": (
        [
            "Please don't send it (any more|at all).",
            "Stop (this|the) order before it leaves.",
            "I don't want it after all, (keep it|don't pack it).",
            "Please forget about this order.",
        ],
        ["Please stop it before you send it.", "Don't pack it, I don't want it."],
    ),
}

# {o}, {i}: the order and item in question. {x}, {j}: another order and item. {n}: a number.
OPENINGS = [
    "This is about my {i}, order {o}.",
    "Order {o}, the {i}.",
    "I (bought|ordered) the {i} {n} days ago, order {o}.",
    "My order is {o}: one {i}, {n} euros.",
    "Hello, I write because of the {i} from order {o}.",
    "The {i} of order {o} is not what I hoped for.",
    "The {j} from {x} was fine, but not the {i} from {o}.",
    "Order {x} with the {j} is all right. Order {o} with the {i} is not.",
    "I have a {i} from order {o} and a {j}. It's the {i}.",
    "(Not|It's not) the {j} of order {x}, but the {i} of {o}.",
]
INSTRUCTION = "Note order, item and wish: "


def example(dice: random.Random, turn: int, unseen: bool) -> tuple[str, str]:
    """Wishes take turns. `unseen`: every second wish in wordings that training lacks."""
    wish = sorted(WISHES)[turn % len(WISHES)]
    training, held_out = WISHES[wish]
    wordings = held_out if unseen and turn // len(WISHES) % 2 else training
    item, other_item = dice.sample(sorted(PRODUCTS.values()), 2)
    order, other_order = _order(dice), _order(dice)
    slots = {"o": order, "x": other_order, "i": item, "j": other_item, "n": str(dice.randint(2, 90))}
    message = f"{fill(dice.choice(OPENINGS), dice, **slots)} {fill(dice.choice(wordings), dice)}"
    return INSTRUCTION + message, canonical_json({"item": item, "order": order, "wish": wish})


def _order(dice: random.Random) -> str:
    return f"{dice.choice('ABCDEFGH')}{dice.randint(100, 999)}"
