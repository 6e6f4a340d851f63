"""General requests that no task of a user is about: the router learns from them what *none of these* looks like.

Answers to them stay exactly those of the untouched base.
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
)  # fmt: skip
