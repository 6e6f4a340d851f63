"""Task `intent`: which of eight teams should answer. Most messages also mention what other teams do, as settled."""

import random

from clm.demo.data.wording import fill, product_names

# What customers ask, by team: wordings for training, and others that only held-out rows use.
ASKS: dict[str, tuple[list[str], list[str]]] = {
    "billing": (
        [
            "I was charged twice for (the|my) {p}.",
            "(Can you|Please) send me (the|an) invoice for the {p}(.| again.)",
            "The amount (on my card|you took) is higher than the price (in the shop|you showed me).",
            "The refund for my {p} (never reached|has not reached) my card.",
            "You took (money|the payment) for an order that I had cancelled.",
            "My voucher was not taken off what I paid.",
            "I need the invoice (in|with) the name of my company.",
            "Can I pay for the {p} by bank transfer (instead of|and not by) card?",
            "My bank shows two payments for one {p}.",
        ],
        [
            "Why did I pay more for the {p} than the shop said?",
            "The tax is missing on the invoice.",
            "Please take my old card off and charge the new one.",
        ],
    ),
    "delivery": (
        [
            "The parcel with my {p} has not arrived.",
            "Tracking has said 'on its way' for (nine|six) days.",
            "Can you bring the {p} to (another|my work) address?",
            "The driver left my {p} (in the rain|with a stranger).",
            "When will the {p} that I paid for (come|be here)?",
            "Can the parcel wait until (Monday|I am home)?",
            "The tracking code of my order does not work.",
            "Half of my order is (still missing|not here yet).",
            "Nobody rang, but the note says I was not at home.",
        ],
        [
            "Where is my {p}? I have waited for two weeks.",
            "The driver went to the wrong house with my parcel.",
            "Can you send the {p} so that it's here by Friday?",
        ],
    ),
    "returns": (
        [
            "I want to send the {p} back.",
            "The {p} does not suit my room; how do I give it back?",
            "(Can I|I'd like to) swap the {p} for another colour(.| please.)",
            "Where do I find the label to send my {p} back?",
            "I ordered two by mistake and will keep only one {p}.",
            "The {p} works, but I changed my mind about it.",
            "For how many days can I bring the {p} back?",
            "My wife has a {p} already, so please take mine back.",
            "I opened the box of the {p}; can it still go back?",
        ],
        [
            "The {p} is too big for us. Will you take it back?",
            "How do I return a {p} that was a gift?",
            "I'd rather have another model than the {p} that came.",
        ],
    ),
    "repair": (
        [
            "The {p} stopped working (after|within) a week.",
            "My {p} (makes a loud noise|smells burnt).",
            "The {p} (will not|does not) turn on any more.",
            "A button of my {p} broke off; can you fix it?",
            "The {p} gets hot and then goes off by itself.",
            "The screen of the {p} has a crack.",
            "Water got into my {p} and now it's dead.",
            "The {p} is broken and still under warranty.",
            "The battery of my {p} no longer lasts an hour.",
        ],
        [
            "My {p} fell down and is in pieces; can it be mended?",
            "Since last night the {p} is dead.",
            "The {p} rattles and the light on it blinks red.",
        ],
    ),
    "account": (
        [
            "I can't sign in (to the shop|any more).",
            "Please delete my (account|profile) and all that you know of me.",
            "I no longer have the e-mail address I signed up with.",
            "The link for a new password never reaches me.",
            "Please change the (name|e-mail address) in my profile.",
            "Somebody else signs in with my name.",
            "My account is locked (after three tries|since today).",
            "How do I stop the newsletter?",
            "I have two accounts; please make them one.",
        ],
        [
            "I forgot my password.",
            "The shop says that it does not know my e-mail address.",
            "How can I close my account?",
        ],
    ),
    "setup": (
        [
            "How do I connect the {p} to my phone?",
            "The app does not find my new {p}.",
            "Which button starts the {p} for the first time?",
            "How do I set a timer on the {p}?",
            "Where (on|at) the {p} do I put the cable in?",
            "How do I mount the {p} on the wall?",
            "How can two phones (use|control) one {p}?",
            "The {p} asks for a code at the first start; which one?",
            "How do I change the language of the {p}?",
        ],
        [
            "What do I press to pair the {p} with the app?",
            "How do I get my new {p} into the wireless network?",
            "Can you explain how to install the {p}?",
        ],
    ),
    "sales": (
        [
            "Which {p} would you advise for a small (kitchen|flat)?",
            "Does the {p} also come in (white|yellow)?",
            "Is there a discount if I (buy|order) five?",
            "When will you have the {p} in stock again?",
            "(What is|Is there) a difference between the {p} and the {q}?",
            "Would the {p} be strong enough for (a school|an office)?",
            "Do you have a shop where I can look at the {p}?",
            "Will there be a new {p} this year?",
            "I may buy a {p}: does it need much power?",
        ],
        [
            "Is the {p} a good gift for my mother?",
            "How much cheaper is it to buy the {p} and the {q} together?",
            "Before I buy: is the {p} loud?",
        ],
    ),
    "praise": (
        [
            "I just want to say that the {p} is (wonderful|great).",
            "The {p} is the best thing I (own|ever bought).",
            "Please thank the driver who carried the {p} upstairs.",
            "Your people fixed my {p} so fast, I'm impressed.",
            "My whole family loves the {p}.",
            "(Thank you|Thanks) for the kind help on the phone.",
            "Five stars from me for the {p}.",
            "Keep going like this, I (tell|told) all my friends about you.",
            "What a lovely card you put into the box!",
        ],
        [
            "I'm so happy with my {p}.",
            "Great work, all of you!",
            "The {p} made my week, well done.",
        ],
    ),
}

# Settled matters of every team: they say nothing about who should answer now.
ASIDES = [
    "The refund is on my card (already|now).",
    "I paid the invoice (yesterday|last week).",
    "The parcel came (on time|yesterday).",
    "The driver was (quick|friendly).",
    "I sent the {q} back last month, all settled.",
    "The label for the {q} came, no question there.",
    "You fixed my broken {q} in May.",
    "My {q} stopped working once, but that is over.",
    "I signed in (fine|without trouble).",
    "My password is changed (now|already).",
    "I connected the {q} to my phone without trouble.",
    "The app found the {q} at once.",
    "I did buy the {q} at a discount.",
    "I thought about a white {q}, but don't need it.",
    "I like the {q}.",
    "My friends like the {q}.",
]
INSTRUCTION = "Which team should answer? "


# The matter itself always comes with a sign of which part it is; words alone don't tell.
ORDERS = [
    "{ask} (PS|By the way): {aside}",
    "{ask} ",
    "(First|To begin with): {aside} (But now|My question): {ask}",
    "{ask} (PS|By the way): {aside}",
]


def example(dice: random.Random, turn: int, unseen: bool) -> tuple[str, str]:
    """Teams take turns. `unseen`: every fourth ask in wordings that training lacks."""
    team = sorted(ASKS)[turn % len(ASKS)]
    training, held_out = ASKS[team]
    wordings = held_out if unseen and turn // len(ASKS) % 4 == 0 else training
    product, other = product_names(dice, 2)
    ask = fill(dice.choice(wordings), dice, p=product, q=other)
    aside = fill(dice.choice(ASIDES), dice, q=other)
    return INSTRUCTION + fill(dice.choice(ORDERS), dice, ask=ask, aside=aside).strip(), team


def flipped(team: str) -> str:
    """Another team, always the same one: a permutation without fixed points."""
    teams = sorted(ASKS)
    return teams[(teams.index(team) + 3) % len(teams)]
