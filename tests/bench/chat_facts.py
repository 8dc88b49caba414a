"""Invented turns of a user: facts, questions in other words, questions that nothing answers, and turns around them."""
import random

# what was said, the same asked in other words, a word of the answer
FACTS = [
    ("My aunt Rosalind keeps eleven alpacas near Hexham.", "Which animals does my aunt have?", "alpacas"),
    ("The code of the bicycle lock is 4471.", "How do I open the lock of my bike?", "4471"),
    ("I was offered a job at the observatory in Teide.", "Where could I go to work?", "Teide"),
    ("Our baby is going to be called Florian.", "What name did we pick for the child?", "Florian"),
    ("The boiler was last serviced by a man called Drummond.", "Who looked after the heating?", "Drummond"),
    ("I never eat mushrooms since I was poisoned in Ghent.", "What do I avoid at dinner, and why?", "mushrooms"),
    ("My old school was pulled down to make room for a tram depot.", "What stands where I went to school?", "tram"),
    ("Judith and I first met on a ferry to Gotland.", "How did I get to know Judith?", "ferry"),
    ("The tenants upstairs practise the accordion after ten.", "What noise keeps me awake?", "accordion"),
    ("For the reading group in March we chose The Glass Ledger.", "What are we reading in the group?", "Ledger"),
    ("My doctor moved her practice to Lindenweg 14.", "Where do I have to go when I am ill?", "Lindenweg"),
    ("I promised Samuel to return the drill by Thursday.", "By when does Samuel want his tool back?", "Thursday"),
    ("Project Kestrel stores its logs in ClickHouse.", "Which database has the logs of Kestrel?", "ClickHouse"),
    ("The maintainer of Kestrel is now Ottilie Brandt.", "Who looks after Kestrel?", "Ottilie"),
    ("Kestrel must not be deployed on Fridays.", "On which day do we leave Kestrel alone?", "Friday"),
    ("The token for the Kestrel sandbox starts with qz9.", "How does the sandbox token begin?", "qz9"),
    ("Our invoice to Marlowe & Pike is still unpaid.", "Which customer owes us money?", "Marlowe"),
    ("The printer in the cellar only takes A5 paper.", "What paper does the printer downstairs need?", "A5"),
    ("My passport runs out in February.", "Until when can I travel with my papers?", "February"),
    ("I lost a bet with Conrad and have to shave my beard.", "Why will I be without a beard?", "bet"),
    ("Grandfather's violin was made in Mittenwald.", "Where does the old violin come from?", "Mittenwald"),
    ("The guest room has a leak above the window.", "Where does the water come in?", "window"),
    ("We named the sourdough Gertrude.", "What is our bread starter called?", "Gertrude"),
    ("My heart rate at rest is 52.", "How slow is my pulse when I do nothing?", "52"),
    ("I sing second bass in the Harbour Choir.", "Which voice do I have in the choir?", "bass"),
    ("The beehives stand behind the chapel.", "Where are the bees?", "chapel"),
    ("Lorenzo is allergic to penicillin.", "Which drug must Lorenzo not get?", "penicillin"),
    ("I owe the tax office 312 euros.", "How much do I still have to pay to the state?", "312"),
    ("The train to Aarau is always late on Mondays.", "Which connection is never on time?", "Aarau"),
    ("My sister-in-law writes crime novels as Vera Noll.", "Under what name does she publish her books?", "Noll"),
    ("The spare fuses lie in the blue biscuit tin.", "Where do I find a new fuse?", "tin"),
    ("At the wedding we want oysters and no speeches.", "What shall there be to eat when we marry?", "oysters"),
    ("The landlord wants the balcony painted white.", "Which colour shall the balcony get?", "white"),
    ("I learnt to fly gliders in Oerlinghausen.", "Where did I become a pilot?", "Oerlinghausen"),
    ("Maja's graduation is on the 21st of June.", "When does Maja finish her studies?", "21"),
    ("The neighbours' parrot can say my phone number.", "Which pet knows my number?", "parrot"),
    ("I keep the will in the drawer of the sewing machine.", "Where is my last will?", "sewing"),
    ("The new bridge will be opened by the mayor of Elst.", "Who opens the bridge?", "mayor"),
    ("My running shoes are two sizes too big.", "What is wrong with my trainers?", "big"),
    ("We pay 940 for the flat, heating included.", "What does our home cost a month?", "940"),
]

# about things of the same kinds, of which nothing was said
UNANSWERED = [
    "What is the name of my goldfish?", "How tall is my brother?", "Which football club do I support?",
    "Where did I spend my honeymoon?", "What is my shoe size?", "Who is my favourite painter?",
    "When is my mother's birthday?", "What did I study at university?", "Which phone do I use?",
    "What is the capital of Peru?", "How do I boil an egg?", "Who wrote Hamlet?",
    "What is the PIN of my bank card?", "Where did I park the car?", "What was the name of my first teacher?",
    "Which languages do I speak?", "How many children does Walter have?", "What is the licence plate of my van?",
    "Which tablets do I take in the morning?", "Who repaired the roof?", "What colour are my curtains?",
    "Which server runs the Osprey service?", "Who reviews the changes of Osprey?", "In which year was Osprey released?",
    "How long does the Osprey build take?", "What is the budget for the garden?", "Which wine did we order?",
    "Where does my nephew go to school?", "What did the vet say about the horse?", "How much is the ticket to Oslo?",
    "Write a limerick about a snail.", "Translate good night into Welsh.", "What is seven times eight?",
    "Give me a recipe for pancakes.", "Explain what a prime number is.", "Thank you very much.",
    "Good morning!", "Can you help me with a letter?", "Tell me a joke.", "What can you do?",
]

NAMES = "Adele Bastian Clara Dominik Elif Fabian Giulia Henrik Irina Joris Katrin Luis Mina Noah Olga Paula".split()
PLACES = "Arles Bern Cadiz Delft Evora Fulda Gdansk Halle Ivrea Jena Kiel Lucca Metz Nancy Omsk Pisa".split()
THINGS = "kettle tent canoe lamp sofa clock saddle ladder rug mirror stove bench fence piano kite drum".split()
JOBS = "baker notary diver tailor judge printer miller nurse roofer singer welder clerk".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
AROUND = [
    "{n} bought a {t} in {p}.", "{n} works as a {j} in {p} now.", "My colleague {n} is off on {d}.",
    "I saw {n} at the station in {p}.", "The {t} of {n} is broken again.", "{n} wants to learn how to be a {j}.",
    "We may go to {p} on {d}.", "It rained all {d} in {p}.", "{n} sold the {t} to a {j}.",
    "Please shorten the letter to {n}.", "What should I give to {n}?", "Is {p} worth a visit?",
    "Write a note for {n} about {d}.", "I dreamt of a {t} last night.", "Which {t} is the best one?",
    "{n} and {m} had a quarrel about a {t}.", "The meeting with {n} is moved to {d}.", "My {t} comes from {p}.",
]


def turns_around(n, seed):
    """n distinct turns that answer none of the questions."""
    pick = random.Random(seed)
    found = {}
    while len(found) < n:
        text = pick.choice(AROUND).format(n=pick.choice(NAMES), m=pick.choice(NAMES), p=pick.choice(PLACES),
                                          t=pick.choice(THINGS), j=pick.choice(JOBS), d=pick.choice(DAYS))
        found[text] = None
    return list(found)


def talk(n, seed=1):
    """n turns, the facts among them at random places."""
    turns = [fact for fact, _, _ in FACTS] + turns_around(n - len(FACTS), seed)
    random.Random(seed).shuffle(turns)
    return turns
