"""How many answers of `rpt chat` hold what the user once said, asked in other words in a new run.

    python tests/bench/chat_answers.py [--model MODEL] [--program build/release/bin/rpt] [--turns 120] [--notes 0,2] [--keep FILE]

Stores invented turns (chat_facts.py), then asks each question in a run of its own, greedily. Prints for each number of notes how many
answers hold the word that only the fact knows, and in how many the fact was among the notes; of questions that nothing answers how many get a note.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile

import chat_facts


def say(options, folder, line, notes):
    done = subprocess.run([options.program, "chat", folder / "mem", "--notes", notes, "-n", "48", "--json", *options.with_model],
                          input=line.encode() + b"\n", check=True, capture_output=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--program", default="build/release/bin/rpt")
    parser.add_argument("--turns", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--notes", default="0,2")
    parser.add_argument("--keep", type=pathlib.Path, help="write every answer as JSON")
    options = parser.parse_args()
    options.with_model = ["--model", options.model] if options.model else []
    kept = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "turns").mkdir()
        for i, turn in enumerate(chat_facts.talk(options.turns, options.seed)):
            (folder / f"turns/{i:05}.txt").write_text(turn)
        subprocess.run([options.program, "add", folder / "mem", folder / "turns", "--collection", "chat", "-q",
                        *options.with_model], check=True)
        shutil.rmtree(folder / "turns")
        for notes in options.notes.split(","):
            told = [(word, fact, say(options, folder, question, notes)) for fact, question, word in chat_facts.FACTS]
            right = sum(word.lower() in answer["text"].lower() for word, _, answer in told)
            noted = sum(fact in [note["text"] for note in answer["notes"]] for _, fact, answer in told)
            print(f"notes {notes}: {right} of {len(told)} answers hold the word, {noted} had the fact", flush=True)
            kept[notes] = told
        if options.notes != "0":
            told = [(question, say(options, folder, question, "2")) for question in chat_facts.UNANSWERED]
            print(f"{sum(bool(answer['notes']) for _, answer in told)} of {len(told)} questions without an answer had a note")
            kept["unanswered"] = told
    if options.keep:
        options.keep.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
