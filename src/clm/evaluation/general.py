"""A small general suite: is the model still able to do what no task of yours teaches?

Everyday knowledge with choices, scored by likelihood, so that even a small base shows what it knows. None of the
questions stands in `clm.llm.general_prompts`, from which the router learns what *none of these* looks like.
"""

from typing import Any

MANNER = "Answer in a word or two."  # with it the embedded base finds 25 of 40, without 19; guessing finds 13
# Question, the right answer, wrong ones.
QUESTIONS: tuple[tuple[str, str, str, str], ...] = (
    ("What is the capital of France?", "Paris", "Lyon", "Brussels"),
    ("What is the capital of Japan?", "Tokyo", "Seoul", "Osaka"),
    ("What is the capital of Italy?", "Rome", "Milan", "Athens"),
    ("How many legs does a spider have?", "Eight", "Six", "Ten"),
    ("How many legs does an ant have?", "Six", "Eight", "Four"),
    ("What colour do you get when you mix blue and yellow?", "Green", "Purple", "Orange"),
    ("What colour do you get when you mix red and white?", "Pink", "Brown", "Green"),
    ("Which ocean lies between Europe and America?", "The Atlantic Ocean", "The Pacific Ocean", "The Indian Ocean"),
    ("What gas do plants take in from the air?", "Carbon dioxide", "Helium", "Methane"),
    ("What gas do people need to breathe?", "Oxygen", "Nitrogen", "Hydrogen"),
    ("How many days has a leap year?", "366", "365", "360"),
    ("How many months has a year?", "Twelve", "Ten", "Fourteen"),
    ("How many minutes has an hour?", "Sixty", "Fifty", "A hundred"),
    ("What is the opposite of 'hot'?", "Cold", "Warm", "Loud"),
    ("What is the opposite of 'early'?", "Late", "Soon", "Often"),
    ("Which language do most people in Brazil speak?", "Portuguese", "Spanish", "French"),
    ("Which language do most people in Austria speak?", "German", "Hungarian", "Italian"),
    ("What is frozen water called?", "Ice", "Steam", "Sand"),
    ("Which planet is closest to the sun?", "Mercury", "Neptune", "Saturn"),
    ("Which planet is known for its large rings?", "Saturn", "Mars", "Venus"),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci", "Vincent van Gogh", "Claude Monet"),
    ("Who wrote the play Hamlet?", "William Shakespeare", "Charles Dickens", "Jane Austen"),
    ("What is the first month of the year?", "January", "March", "December"),
    ("Which day comes after Monday?", "Tuesday", "Sunday", "Friday"),
    ("Which season comes after winter?", "Spring", "Autumn", "Summer"),
    ("How many sides does a triangle have?", "Three", "Four", "Five"),
    ("How many sides does a square have?", "Four", "Three", "Six"),
    ("What do bees make?", "Honey", "Silk", "Milk"),
    ("What animal gives us wool?", "Sheep", "Horses", "Ducks"),
    ("Which animal barks?", "A dog", "A cow", "A fish"),
    ("On which continent is Egypt?", "Africa", "Europe", "South America"),
    ("On which continent is China?", "Asia", "Africa", "Australia"),
    ("What is two plus two?", "Four", "Five", "Three"),
    ("What is ten minus three?", "Seven", "Six", "Eight"),
    ("What do you use to cut paper?", "Scissors", "A spoon", "A pillow"),
    ("What do you wear on your feet?", "Shoes", "Gloves", "A hat"),
    ("What do people read?", "Books", "Forks", "Stones"),
    ("In which direction does the sun rise?", "In the east", "In the west", "In the south"),
    ("What is the past tense of 'go'?", "Went", "Goed", "Gone"),
    ("What is the plural of 'mouse'?", "Mice", "Mouses", "Mousen"),
)


def general_suite() -> list[dict[str, Any]]:
    """Rows to take in; the right answer's place among the choices turns from row to row."""
    rows: list[dict[str, Any]] = []
    for number, (question, right, *wrong) in enumerate(QUESTIONS):
        place = number % 3
        rows.append(
            {"prompt": f"{question} {MANNER}", "completion": right, "choices": [*wrong[:place], right, *wrong[place:]]}
        )
    return rows
