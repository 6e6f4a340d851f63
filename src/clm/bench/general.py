"""General requests that no benchmark's task is about: the base has to go on answering them.

None of them stands in `clm.llm.general_prompts`, from which the router learns what *none of these* looks like. Those
of the general suite have an answer: how much of the base's general ability is left?
"""

from clm.bench.public_sets import Row
from clm.evaluation.general import QUESTIONS

REQUESTS = (
    # facts and explanations
    "Why do cats purr?", "Explain how a rainbow comes about.", "What was the Silk Road?",
    "Why is the sea salty?", "How does a microwave oven heat food?", "What is inflation, in plain words?",
    "Who was Marie Curie and what did she discover?", "How do birds find their way in autumn?",
    "What is the difference between a virus and a bacterium?", "Why do we dream?",
    "How tall is Mount Everest?", "What happened in Berlin in 1989?",
    # writing help
    "Write a thank-you note to a neighbour who watered my plants.", "Think of a title for a story about two lamps.",
    "Make this sentence shorter: due to the fact that it was raining, we stayed at home.",
    "Write four lines that rhyme about a rainy Sunday.", "Help me begin a speech for my sister's wedding.",
    "Turn 'the dog chased the ball' into the passive.", "Write a short dialogue between a baker and a mouse.",
    "Describe the smell of a forest after rain.", "How do I end a formal letter?",
    "Write an advertisement for a second-hand bicycle.", "Put a comma where it belongs: however we went anyway",
    # programs and computers
    "Write a loop in JavaScript that prints the numbers from one to ten.", "What is a pointer in C?",
    "How do I read a text file line by line in Python?", "What does the command 'grep' do?",
    "Write a regular expression that matches a year of four digits.", "What is the difference between TCP and UDP?",
    "Why does my loop never end if I forget to increase the counter?", "Show me an HTML page with one heading.",
    "What is a stack, and how does it differ from a queue?", "How do I make a new branch in git?",
    # numbers
    "What is a quarter of 260?", "How many centimetres are in two and a half metres?", "Is 51 divisible by three?",
    "Count backwards from ten to one.", "What is the area of a square with sides of five metres?",
    # everyday life
    "How do I keep basil alive on a window sill?", "What can I cook with lentils and carrots?",
    "How do I fold a fitted sheet?", "Which exercises help after a day at the desk?", "How do I get rid of hiccups?",
    "What do I need for a picnic for four?", "How do I teach a dog to sit?", "My bread came out flat. What went wrong?",
    "How can I make a cold room feel cosier?", "Name three board games for two people.",
    # talk
    "Good evening! How was your day?", "I passed my exam today!", "Can you keep a secret?",
    "Are you able to learn new things?", "Say something kind to somebody who is nervous.",
    "What would you do on a free afternoon?", "I can't decide between tea and cocoa.", "That was good to know.",
    # ideas
    "Suggest a theme for a children's birthday party.", "What could I draw with a single pencil?",
    "Think of a name for a sailing boat.", "How might people live on the moon one day?",
    "Give me an idea for a present that costs nothing.", "What should I look at first in a new city?",
)  # fmt: skip
GENERAL_REQUESTS: tuple[str, ...] = (*(question for question, *_ in QUESTIONS), *REQUESTS)


def general_suite() -> list[Row]:
    return [{"prompt": question, "completion": answer} for question, answer, *_ in QUESTIONS]
