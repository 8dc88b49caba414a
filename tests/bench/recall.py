"""How many one-sentence notes a model gives back when it is asked for them with their beginning (temperature 0, 12 tokens).

    python tests/bench/recall.py [--model models/small.safetensors] [--program build/release/bin/rpt] [--ways alone,shared,late,prompt]

Four ways: each note in a store of its own (`alone`); all notes in one store, a document each (`shared`); the same, asked behind a paragraph
about something else (`late`); and in the prompt itself with no store (`prompt`), for what a model cannot say of what it sees it will
not say of what it remembers. Prints the answers and how many hold the word that only the note knows.
"""
import argparse
import pathlib
import subprocess
import tempfile

NOTES = [  # note, beginning, word
    ("The ship was called Pequod.", "The name of the ship was", "Pequod"),
    ("The name of the dog was Brunhilde.", "The name of the dog was", "Brunhilde"),
    ("The town was called Osterley.", "The name of the town was", "Osterley"),
    ("The password of the cellar is heliotrope.", "The password of the cellar is", "heliotrope"),
    ("The captain of the guard was Colonel Ambrizzi.", "The captain of the guard was", "Ambrizzi"),
    ("The king's horse was named Rosinante.", "The king's horse was", "Rosinante"),
    ("def frobnicate_ledger(entry, depth):\n    return entry * depth\n", "result = frobnicate", "ledger"),
    ("The secret word is Abracadabra, said the old woman.", "The secret word is", "Abracadabra"),
    ("The house on the hill belonged to Lady Thrupp.", "The house on the hill belonged to", "Thrupp"),
    ("Doctor Faustus was born in the city of Wittenberg.", "Doctor Faustus was born in the city of", "Wittenberg"),
    ("My sister's cat is named Marzipan.", "My sister's cat is named", "Marzipan"),
    ("The meeting with Okonkwo is on Thursday at nine.", "The meeting with Okonkwo is on", "Thursday"),
    ("The train to Trondheim leaves from platform eleven.", "The train to Trondheim leaves from platform", "eleven"),
    ("Her favourite colour is vermilion.", "Her favourite colour is", "vermilion"),
    ("The key to the shed hangs behind the barometer.", "The key to the shed hangs behind the", "barometer"),
    ("He studied botany in Uppsala.", "He studied botany in", "Uppsala"),
    ("The old lighthouse keeper was called Mr. Quillfeather.", "The old lighthouse keeper was called Mr.", "Quillfeather"),
    ("The project's code name is Nightjar.", "The project's code name is", "Nightjar"),
    ("We call this operator the Zorblatt transform.", "We call this operator the", "Zorblatt"),
    ("The theorem is due to Kowalczyk.", "The theorem is due to", "Kowalczyk"),
    ("MAX_RETRY_BUDGET = 4711\n", "MAX_RETRY_BUDGET =", "4711"),
    ("class TurnipScheduler(BaseScheduler):\n    pass\n", "scheduler = Turnip", "Scheduler"),
    ("The server listens on port 8642.", "The server listens on port", "8642"),
    ("import quaternion_toolkit as qt\n", "import quaternion", "toolkit"),
    ("The recipe needs a pinch of saffron.", "The recipe needs a pinch of", "saffron"),
    ("The treaty was signed in Szeged.", "The treaty was signed in", "Szeged"),
    ("The doctor told me to avoid grapefruit.", "The doctor told me to avoid", "grapefruit"),
    ("Our landlord is called Bartholomew Finch.", "Our landlord is called", "Bartholomew"),
    ("The bridge over the Tamsin was built by monks.", "The bridge over the Tamsin was built by", "monks"),
    ("The violin had been made in Cremona.", "The violin had been made in", "Cremona"),
]


ELSEWHERE = """The garden behind the house was larger than it looked from the street. Apple trees stood along the wall, and under
them grew nettles that nobody had cut for years. In the mornings the neighbours' children came over the fence and played there until
somebody called them. When it rained they sat in the old greenhouse and told each other stories, of which most were not true. It was
said that the wall had once been part of a monastery.

"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/rpt")
    parser.add_argument("--model", default="models/small.safetensors")
    parser.add_argument("--ways", default="alone,shared,late,prompt")
    options = parser.parse_args()
    ways = options.ways.split(",")

    def rpt(*words, text):
        return subprocess.run([options.program, *map(str, words), "--model", options.model, "--quiet"], input=text,
                              check=True, capture_output=True, text=True).stdout

    def complete(folder, store, prompt):
        file = pathlib.Path(folder) / "prompt.txt"
        file.write_text(prompt)
        return rpt("complete", store, "--file", file, "--max-tokens", 12, "--temperature", 0, text="")

    recalled = dict.fromkeys(ways, 0)
    with tempfile.TemporaryDirectory() as folder:
        shared = pathlib.Path(folder) / "shared"
        for number, (note, _, _) in enumerate(NOTES):
            rpt("add", shared, "-", "--key", f"note{number}", text=note)
        for number, (note, beginning, word) in enumerate(NOTES):
            store = pathlib.Path(folder) / f"store{number}"
            rpt("add", store, "-", "--key", "note", text=note)
            questions = {"alone": (store, beginning), "shared": (shared, beginning), "late": (shared, ELSEWHERE + beginning),
                         "prompt": ("-", note.rstrip("\n") + "\n" + beginning)}
            print(beginning)
            for way in ways:
                answer = complete(folder, *questions[way])
                recalled[way] += word in answer
                print(f"    {way:7} {'yes' if word in answer else 'no':4} {answer!r}")
    print(f"of {len(NOTES)}:", ", ".join(f"{count} {way}" for way, count in recalled.items()))


if __name__ == "__main__":
    main()
