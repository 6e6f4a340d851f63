"""Rows that a benchmark writes itself: which team of a library should see a visitor's message?"""

import random

from clm.bench.public_sets import Row

INSTRUCTION = "Which desk of the library should see this? Answer Lending, Reading Room, Events or Technology."
ASKS = {
    "Lending": (
        "I would like to keep {thing} for another week, because I have not finished it yet.",
        "The date on my receipt says that {thing} was due on {day}, but I brought it back before that.",
        "Can you hold {thing} for me until {day}? I can only come by in the evening.",
        "I have lost {thing} on the train and want to know what it costs to replace it.",
    ),
    "Reading Room": (
        "Is there a quiet table free on {day}, with enough light to look at {thing} for an hour or two?",
        "Somebody talks on the phone beside me while I try to read {thing}. Could you ask for silence?",
        "May I take {thing} from the open shelves to my seat, or does it have to stay where it is?",
        "The chairs near the window are broken, so I could not sit down with {thing} on {day}.",
    ),
    "Events": (
        "At what time does the talk about {thing} begin on {day}, and do I need a ticket?",
        "My daughter wants to take part in the story hour on {day}. Is there still a place left?",
        "We would like to show {thing} to our reading group. Can we book the small hall for {day}?",
        "Will the author of {thing} sign copies after the evening on {day}?",
    ),
    "Technology": (
        "The machine at the entrance did not take {thing} and only showed a red light on {day}.",
        "I can't sign in to the catalogue since {day}; it says that my password has expired.",
        "The printer on the first floor swallowed my copy of {thing}. Who can open it?",
        "How do I get {thing} onto my reading device? The download stops half way.",
    ),
}
THINGS = (
    "a travel guide to the northern islands", "the second volume of the trilogy", "a book on bees and other insects",
    "the old map of the harbour", "a cookery book from the nineties", "the biography of the mountaineer",
    "a picture book about the night", "the handbook of garden ponds", "an atlas of the stars",
    "the letters of two painters", "a novel set in a lighthouse", "the history of the railway",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def synthetic_rows(count: int, seed: int) -> list[Row]:
    """So many different rows, the desks in turn. A visitor's number keeps equal wordings apart."""
    order = random.Random(f"sentences/{seed}")
    desks = list(ASKS)
    rows: list[Row] = []
    for n in range(count):
        desk = desks[n % len(desks)]
        asked = order.choice(ASKS[desk]).format(thing=order.choice(THINGS), day=order.choice(DAYS))
        prompt = f"{INSTRUCTION}\n\nVisitor {1000 + n}: {asked}"
        rows.append({"prompt": prompt, "completion": desk})
    return rows
