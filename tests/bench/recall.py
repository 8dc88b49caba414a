"""How many one-sentence notes a model gives back: each is read into a store of its own, and asked for with its beginning.

    python tests/bench/recall.py [--model models/small.safetensors] [--program build/release/bin/rpt]

Prints what was answered to each (temperature 0, 12 tokens) and how many answers hold the word that only the note knows.
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
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/rpt")
    parser.add_argument("--model", default="models/small.safetensors")
    options = parser.parse_args()

    def rpt(*words, text):
        return subprocess.run([options.program, *map(str, words), "--model", options.model, "--quiet"], input=text,
                              check=True, capture_output=True, text=True).stdout

    recalled = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (note, beginning, word) in enumerate(NOTES):
            store, prompt = pathlib.Path(folder) / f"store{number}", pathlib.Path(folder) / "prompt.txt"
            prompt.write_text(beginning)
            rpt("add", store, "-", "--key", "note", text=note)
            answer = rpt("complete", store, "--file", prompt, "--max-tokens", 12, "--temperature", 0, text="")
            recalled += word in answer
            print(f"{'yes' if word in answer else 'no':4} {beginning!r} -> {answer!r}")
    print(f"{recalled} of {len(NOTES)}")


if __name__ == "__main__":
    main()
