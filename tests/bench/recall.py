"""How many one-sentence notes a model gives back: each is read into a store of its own, and asked for with its beginning.

    python tests/bench/recall.py [--model models/small.safetensors] [--program build/release/bin/rpt]

Prints what was answered to each (temperature 0, 12 tokens) and how many answers hold the word that only the note knows;
beside it how many do with the note in the prompt itself and no store: what the model can say of what it sees.
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/rpt")
    parser.add_argument("--model", default="models/small.safetensors")
    options = parser.parse_args()

    def rpt(*words, text):
        return subprocess.run([options.program, *map(str, words), "--model", options.model, "--quiet"], input=text,
                              check=True, capture_output=True, text=True).stdout

    def complete(folder, prompt, *words):
        file = pathlib.Path(folder) / "prompt.txt"
        file.write_text(prompt)
        return rpt("complete", *words, "--file", file, "--max-tokens", 12, "--temperature", 0, text="")

    recalled = seen = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (note, beginning, word) in enumerate(NOTES):
            store = pathlib.Path(folder) / f"store{number}"
            rpt("add", store, "-", "--key", "note", text=note)
            answer = complete(folder, beginning, store)
            recalled += word in answer
            seen += word in complete(folder, note.rstrip("\n") + "\n" + beginning, "-")
            print(f"{'yes' if word in answer else 'no':4} {beginning!r} -> {answer!r}")
    print(f"{recalled} of {len(NOTES)} from memory, {seen} with the note in the prompt")


if __name__ == "__main__":
    main()
