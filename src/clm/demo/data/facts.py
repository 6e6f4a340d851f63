"""Task `facts`: 24 facts of the product sheet, asked in many ways."""

import random

from clm.demo.data.wording import PRODUCTS, fill

#            warranty     colour     town         price
SHEET = {
    "Lumo": ("4 years", "amber", "Porto", "45 euros"),
    "Brio": ("1 year", "silver", "Graz", "120 euros"),
    "Tavi": ("6 years", "black", "Lund", "99 euros"),
    "Orsa": ("3 years", "red", "Turin", "310 euros"),
    "Fenn": ("5 years", "white", "Brno", "75 euros"),
    "Kelo": ("2 years", "copper", "Bergen", "60 euros"),
}

# Per attribute: wordings for training, and others that only held-out rows use.
WORDINGS = {
    "warranty": (
        [
            "How long is the warranty (of|on) the {p}?",
            "For how many years is the {p} under warranty?",
            "What warranty (does|will) the {p} (come with|have)?",
            "How long do you guarantee the {p}?",
            "(Tell me|Say) how long the {p} is covered by warranty.",
            "I have a question about the {p}: how long is its warranty?",
            "What is the guarantee period of the {p}?",
        ],
        [
            "How many years of warranty are there on the {p}?",
            "How long does the guarantee of the {p} last?",
            "I want to buy a {p}. How long is it under warranty?",
        ],
    ),
    "colour": (
        [
            "What colour is the {p}?",
            "In (which|what) colour (is|do you sell) the {p}?",
            "Which colour does the {p} have?",
            "(Tell me|Say) the colour of the {p}.",
            "I have a question about the {p}: which colour is it?",
            "If I order a {p}, what colour will it be?",
            "Of what colour is the case of the {p}?",
        ],
        [
            "What is the colour of the {p}?",
            "Which colour is a new {p}?",
            "I want to buy a {p}. What colour does it have?",
        ],
    ),
    "town": (
        [
            "Where is the {p} made?",
            "In which town (is|do you make) the {p}?",
            "Which town does the {p} come from?",
            "(Tell me|Say) where the {p} is built.",
            "What town is the factory of the {p} in?",
            "Where do you (build|produce) the {p}?",
            "I have a question about the {p}: where is it made?",
        ],
        [
            "In what town is the {p} built?",
            "Where is the factory that makes the {p}?",
            "I want to buy a {p}. Where was it made?",
        ],
    ),
    "price": (
        [
            "How much is the {p}?",
            "What does the {p} cost?",
            "What is the price of the {p}?",
            "(Tell me|Say) the price of the {p}.",
            "How much do I pay for the {p}?",
            "I have a question about the {p}: what is its price?",
            "If I order a {p}, what will I pay?",
        ],
        [
            "How much does the {p} cost?",
            "What price do you ask for the {p}?",
            "I want to buy a {p}. How much is it?",
        ],
    ),
}
INSTRUCTION = "Look into the Halvik product sheet. "
CHANGED, OLD_ANSWER, NEW_ANSWER = "Lumo price", SHEET["Lumo"][3], "39 euros"  # in the middle of the story


def example(dice: random.Random, turn: int, unseen: bool) -> tuple[str, str]:
    """The facts take turns, so that every fact is asked equally often. `unseen`: in wordings that training lacks."""
    product, attribute = fact_of(turn).split()
    return INSTRUCTION + _question(dice, product, attribute, unseen), SHEET[product][list(WORDINGS).index(attribute)]


def fact_of(turn: int) -> str:
    """What the example of this turn is about, such as "Lumo price": the key of its record."""
    product, attribute = divmod(turn % (len(SHEET) * len(WORDINGS)), len(WORDINGS))
    return f"{sorted(SHEET)[product]} {list(WORDINGS)[attribute]}"


def changed(dice: random.Random, unseen: bool) -> tuple[str, str]:
    """The fact that changes, with its new answer."""
    product, attribute = CHANGED.split()
    return INSTRUCTION + _question(dice, product, attribute, unseen), NEW_ANSWER


def _question(dice: random.Random, product: str, attribute: str, unseen: bool) -> str:
    name = dice.choice([product, f"{product} {PRODUCTS[product]}"])
    return fill(dice.choice(WORDINGS[attribute][unseen]), dice, p=name)
