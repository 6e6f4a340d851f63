"""General requests that no task of a user is about: the router learns from them what *none of these* looks like.

Answers to them stay exactly those of the untouched base. All were written for this purpose; none is out of a data set.
"""

GENERAL_PROMPTS = (
    # knowledge
    "What is the capital of Australia?", "Who wrote the novel Frankenstein?", "Why is the sky blue?",
    "How far away is the moon?", "What causes the seasons?", "When did the Roman Empire fall?",
    "What is the largest animal that ever lived?", "Explain photosynthesis in two sentences.",
    "Which planets have rings?", "What does DNA stand for?", "How do vaccines work?",
    "What was the Industrial Revolution?", "Name the longest river in South America.",
    # writing
    "Write a haiku about autumn leaves.", "Compose a short poem about the sea at night.",
    "Tell me a bedtime story about a brave hedgehog.", "Write a birthday card for my grandmother.",
    "Give me a slogan for a bakery.", "Draft a polite e-mail that declines a party invitation.",
    "Write the first paragraph of a detective novel.", "Make up a riddle about a clock.",
    "Write a limerick about a sleepy cat.", "Describe a sunset to someone who has never seen one.",
    # language
    "Translate 'good morning' into Spanish.", "What is a synonym for 'happy'?",
    "Correct the grammar: he go to school yesterday.", "What does the idiom 'break the ice' mean?",
    "Use the word 'ubiquitous' in a sentence.", "What is the plural of 'cactus'?",
    "Rewrite this politely: give me the report now.", "Summarise: The cat sat on the mat all day and slept.",
    # numbers and logic
    "What is 17 times 24?", "Solve for x: 3x + 5 = 20.", "What is the square root of 144?",
    "If a train leaves at noon at 60 km/h, how far is it by three?", "Is 97 a prime number?",
    "What comes next: 2, 4, 8, 16?", "Convert 30 degrees Celsius to Fahrenheit.", "How many minutes are in a week?",
    # programs
    "Write a Python function that reverses a string.", "What is the difference between a list and a tuple?",
    "How do I undo the last git commit?", "Explain recursion to a beginner.", "Write an SQL query that counts users.",
    "What does HTTP 404 mean?", "How do I sort a dictionary by value in Python?", "What is a binary search?",
    # everyday life
    "Give me a recipe for pancakes.", "How do I remove a coffee stain from a shirt?", "How can I fall asleep faster?",
    "Suggest three stretches for a stiff neck.", "What should I pack for a weekend hike?",
    "How often should I water a cactus?", "What is a good gift for a ten year old?", "How long do I boil an egg?",
    "Suggest a name for my new puppy.", "What are the rules of chess in short?",
    # talk and opinion
    "Hello, how are you today?", "Tell me a joke.", "Who are you?", "What can you do?", "I feel a bit sad today.",
    "Do you prefer coffee or tea?", "What is the meaning of life?", "Thanks, that was helpful!",
    "Should I learn the guitar or the piano?", "Give me an interesting fact.", "Motivate me to exercise.",
    # ideas and advice
    "List five ideas for a school science project.", "How do I prepare for a job interview?",
    "Plan a three day trip to Rome.", "What are the pros and cons of working from home?",
    "How do I start saving money?", "Recommend a book for a long train ride.",
    "Help me plan a small garden on a balcony.", "What questions should I ask when renting a flat?",
    "How can I be a better listener?", "Give me tips for a first marathon.",
    # of all kinds
    "Who painted the ceiling of the Sistine Chapel?", "Which country has the most islands?",
    "How long does light take to get from the sun to the earth?", "Why did the dinosaurs die out?",
    "What language do they speak in Brazil?", "Explain gravity to a six year old.",
    "What is the difference between weather and climate?", "Which metal is liquid at room temperature?",
    "How did the Titanic sink?", "What happens in a solar eclipse?", "What does the heart do all day?",
    "What are the seven wonders of the ancient world?", "Tell me about the history of chocolate.",
    "What is quantum physics about?", "What are the colours of the french flag?", "What is the fastest land animal?",
    "How does the stock market work in general?", "What is a recession?", "What does a central bank do?",
    "Who is the author of the jungle book?", "What are the rules of offside in football?",
    "Which tennis player has won Wimbledon most often?", "Who is the best basketball player of all time?",
    "What is the plot of Hamlet?", "Recommend a comedy from the nineties.", "What genre is the Great Gatsby?",
    "Who sings bohemian rhapsody?", "Which instruments belong to a string quartet?", "What is impressionism?",
    "How do I photograph the milky way?", "Compose a toast for a golden wedding.", "Give me a rhyme for orange.",
    "Write a complaint about a noisy fridge, but funny.", "Write a love letter from a pen to its paper.",
    "Write a product description for an umbrella that glows.", "Give me a villain for my fantasy novel.",
    "Check my spelling: definately, recieve, seperate.", "How do you say thank you in Japanese?",
    "Give me the opposite of 'generous'.", "Explain the difference between affect and effect.",
    "Count the vowels in the word encyclopedia.", "How do I work out the volume of a cylinder?",
    "Roll two dice for me.", "Give me a logic puzzle.", "How do you calculate the mean and the median?",
    "Write a bash script that renames all files in a folder.", "Explain the difference between a class and an object.",
    "What is a race condition?", "What is an api?", "How do I take a screenshot on a laptop?",
    "Why is my printer printing blank pages?", "Is it safe to open an attachment from a stranger?",
    "How are you trained?", "Do you believe in ghosts?", "Who made you?", "What should I do this weekend?",
    "I had a terrible day at school.", "What do I say at a funeral?", "How can I make friends in a new town?",
    "What do you get for parents who have everything?", "How do I say no without hurting anyone?",
    "What makes a marriage happy?", "Why does my cat stare at the wall?", "How long do parrots live?",
    "When should I prune roses?", "How do I start composting?", "Best way to clean a burnt pot.",
    "How do I hang a picture without nails?", "How do I fix a dripping tap?", "How do I change a bicycle tube?",
    "What can I make out of old jeans?", "What wine goes with mushrooms?",
    "How do I get rid of the smell of garlic on my hands?", "How is cheese made?", "What is umami?",
    "Why do onions make us cry?", "Why do my knees hurt when I climb stairs?",
    "How much water should one drink in a day?", "What is mindfulness?", "Are cold showers good for you?",
    "What is the best age to learn to swim?", "How do pilots find their way at night?", "Who built the Suez Canal?",
    "How do people celebrate new year in Scotland?", "How cold does it get in Siberia?",
    "What is the longest road on earth?", "Who invented the bicycle?", "How is rubber made?",
    "How do I write a good letter of application?", "How do I speak in front of a crowd?",
    "What is the best way to take notes?", "Teach me how to juggle.", "How do I solve a Rubik's cube?",
    "What is a good riddle for kids?", "Truth or dare.", "Tell me something I don't know.",
    "What is the funniest word?", "Pretend you are a pirate.", "Is time travel possible?", "Does free will exist?",
    "How do religions explain the origin of the world?", "How does a law come about?", "Why do countries have flags?",
    "What was the black death?", "Is it ever right to lie?", "What can one person do about climate change?",
    "What is a carbon footprint?", "What are the names of the planets in order?", "What is the northern lights?",
    "Are we alone in the universe?", "How do I start a book club?", "What is a good theme for a costume party?",
    "What can I bake without eggs for fun?", "Design a flag for an island of cats.",
    "Write a bedtime routine for a robot.", "How do I teach a parrot to talk?", "Hmm.", "Go on.", "Ok thanks.",
    "My grandmother came from a small village by the sea.",
    "In the beginning there was nothing but a cold wind over the hills.", "1 2 3 test.",
)  # fmt: skip


def groups(instruction: str | None = None) -> list[list[str]]:
    """The requests as they are and in lower case, as many people type them; or, behind an instruction that a task's
    prompts share, each in one of both wordings. The same order in every group."""
    typed = [lower(prompt) for prompt in GENERAL_PROMPTS]
    if instruction is None:
        return [list(GENERAL_PROMPTS), typed]
    wordings = enumerate(zip(GENERAL_PROMPTS, typed, strict=True))
    return [[f"{instruction}{pair[number % 2]}" for number, pair in wordings]]


def lower(prompt: str) -> str:
    """Without capitals and punctuation."""
    return prompt.lower().translate(str.maketrans("", "", ".,?!':;"))
