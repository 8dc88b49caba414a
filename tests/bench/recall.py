"""How many one-sentence notes a model gives back when it is asked for them with their beginning (temperature 0, 12 tokens).

    python tests/bench/recall.py [--model models/small.safetensors] [--program build/release/bin/rpt] [--ways alone,shared,late,prompt]
                                 [--among FILE...] [--second]

Four ways: each note in a store of its own (`alone`); all notes in one store, a document each (`shared`); the same, asked behind a paragraph
about something else (`late`); and in the prompt itself with no store (`prompt`), for what a model cannot say of what it sees it will
not say of what it remembers. Prints the answers and how many hold the word that only the note knows; of the shared store also how
many notes a search with the beginning finds among the first eight. `--among` puts other texts into the shared store, a document each,
for notes to be found among. `--second` takes other notes and another paragraph, by which nothing was ever chosen.
"""
import argparse
import json
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


SECOND_NOTES = [
    ("The nurse on the night shift is called Evangeline.", "The nurse on the night shift is called", "Evangeline"),
    ("Their boat lies at anchor off Skiathos.", "Their boat lies at anchor off", "Skiathos"),
    ("The name of my first teacher was Ottokar Hrubin.", "The name of my first teacher was", "Ottokar"),
    ("The combination of the safe is 7719.", "The combination of the safe is", "7719"),
    ("This lemma goes back to Pfefferkorn.", "This lemma goes back to", "Pfefferkorn"),
    ("The widow lived in the Rue Malebranche.", "The widow lived in the Rue", "Malebranche"),
    ("const kettleTimeout = 93;\n", "const kettleTimeout =", "93"),
    ("def rinse_barrels(count):\n    return count // 2\n", "total = rinse_", "barrels"),
    ("The mountain is known among shepherds as Old Grizel.", "The mountain is known among shepherds as Old", "Grizel"),
    ("The choir rehearses in the crypt of Saint Adalbert.", "The choir rehearses in the crypt of Saint", "Adalbert"),
    ("The parrot answers to the name of Lysander.", "The parrot answers to the name of", "Lysander"),
    ("The invoice must be sent to Mrs. Dragomir.", "The invoice must be sent to Mrs.", "Dragomir"),
    ("The stolen picture showed a heron.", "The stolen picture showed a", "heron"),
    ("His brother had emigrated to Valparaiso.", "His brother had emigrated to", "Valparaiso"),
    ("The old name of the river is Eskwater.", "The old name of the river is", "Eskwater"),
    ("Tea in this house is drunk with cardamom.", "Tea in this house is drunk with", "cardamom"),
    ("The group is isomorphic to the Hollander group.", "The group is isomorphic to the", "Hollander"),
    ("from marmalade.core import Spoon\n", "from marmalade.core import", "Spoon"),
    ("The general died at the battle of Kunersdorf.", "The general died at the battle of", "Kunersdorf"),
    ("The lift stops working above the seventeenth floor.", "The lift stops working above the", "seventeenth"),
    ("The spare tyre is under the tarpaulin.", "The spare tyre is under the", "tarpaulin"),
    ("The witness was a glazier from Delft.", "The witness was a glazier from", "Delft"),
    ("The name of the horse that won was Bucephalus.", "The name of the horse that won was", "Bucephalus"),
    ("For the wedding she wore her aunt's topaz.", "For the wedding she wore her aunt's", "topaz"),
    ("The expedition was financed by Lord Peverell.", "The expedition was financed by Lord", "Peverell"),
    ("log_directory: /var/spool/gannet\n", "log_directory: /var/spool/", "gannet"),
    ("The first chapter is about the comet of 1811.", "The first chapter is about the comet of", "1811"),
    ("He signs his letters with the word Vale.", "He signs his letters with the word", "Vale"),
    ("The monastery's bees are kept by Brother Anselm.", "The monastery's bees are kept by Brother", "Anselm"),
    ("The tunnel begins behind the cooper's workshop.", "The tunnel begins behind the", "cooper"),
]
SECOND_ELSEWHERE = """We had been waiting at the station for almost an hour when the clerk told us that there would be no train before the
evening. Some went home, some sat down on their trunks and began to play cards. A woman asked everybody whether they had seen her
umbrella. Nobody had. Outside it had become dark, although it was only three o'clock, and the first drops fell on the glass roof.

"""

FIRST = 8  # neighbours of the shipped model
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
    parser.add_argument("--among", nargs="*", default=[], type=pathlib.Path)
    parser.add_argument("--second", action="store_true")
    options = parser.parse_args()
    ways = options.ways.split(",")
    notes, elsewhere = (SECOND_NOTES, SECOND_ELSEWHERE) if options.second else (NOTES, ELSEWHERE)

    def rpt(*words, text):
        return subprocess.run([options.program, *map(str, words), "--model", options.model, "--quiet"], input=text,
                              check=True, capture_output=True, text=True).stdout

    def complete(folder, store, prompt):
        file = pathlib.Path(folder) / "prompt.txt"
        file.write_text(prompt)
        return rpt("complete", store, "--file", file, "--max-tokens", 12, "--temperature", 0, text="")

    def is_found(store, key, question):
        hits = json.loads(rpt("search", store, question, "--json", "-k", FIRST, text=""))["hits"]
        return any(hit["key"] == key for hit in hits)

    recalled = dict.fromkeys(ways, 0)
    found = 0
    with tempfile.TemporaryDirectory() as folder:
        shared = pathlib.Path(folder) / "shared"
        for number, (note, _, _) in enumerate(notes):
            rpt("add", shared, "-", "--key", f"note{number}", text=note)
        for file in options.among:
            rpt("add", shared, file, text="")
        for number, (note, beginning, word) in enumerate(notes):
            store = pathlib.Path(folder) / f"store{number}"
            rpt("add", store, "-", "--key", "note", text=note)
            questions = {"alone": (store, beginning), "shared": (shared, beginning), "late": (shared, elsewhere + beginning),
                         "prompt": ("-", note.rstrip("\n") + "\n" + beginning)}
            found += is_found(shared, f"note{number}", beginning)
            print(beginning)
            for way in ways:
                answer = complete(folder, *questions[way])
                recalled[way] += word in answer
                print(f"    {way:7} {'yes' if word in answer else 'no':4} {answer!r}")
    print(f"of {len(notes)}:", ", ".join(f"{count} {way}" for way, count in recalled.items()), f"; {found} found among the first {FIRST}")


if __name__ == "__main__":
    main()
