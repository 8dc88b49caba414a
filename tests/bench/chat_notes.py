"""Whether a talk finds what its user once said, and notices that it was never said.

    python tests/bench/chat_notes.py --model MODEL [--library build/release/lib/librpt.so] [--turns 600] [--seed 1]

Stores invented turns (chat_facts.py), each as a document of its own, as `rpt chat` does. Then asks each question as `rpt chat` does: the
message is stored, the search finds it and the turns like it, and the score of a turn counts as a share of what the message itself scores.
Prints how often the fact is the first hit, or among two; and for each threshold on that share how many facts are found among two notes above it,
and to how many questions without an answer no note is given.
"""
import argparse
import json
import pathlib
import tempfile

import chat_facts
from memory_library import Memory


LEGS = ["keys", "words", "grams"]  # whose shares are tried as thresholds


def ask(memory, turns, question, k=64):
    """Turns that are no questions, and for each leg the share of what the question itself scores; best first."""
    memory.add("asked", question)
    found = memory.find(question, k + 1, max_per_doc=1)
    memory.remove("asked")
    whole = [max(hit.leg_scores[leg] for hit in found) for leg in LEGS]
    return [(int(hit.key), [hit.leg_scores[leg] / most if most > 0 else 0 for leg, most in zip(LEGS, whole)])
            for hit in found if hit.key != "asked" and not turns[int(hit.key)].endswith("?")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--library", default="build/release/lib/librpt.so")
    parser.add_argument("--turns", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, help="write every score as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Memory(options.library, options.model, folder) as memory:
        turns = chat_facts.talk(options.turns, options.seed)
        for i, turn in enumerate(turns):
            memory.add(f"{i:05}", turn)
        answered = [(turns.index(fact), question, ask(memory, turns, question)) for fact, question, _ in chat_facts.FACTS]
        unanswered = [(question, ask(memory, turns, question)) for question in chat_facts.UNANSWERED]
    if options.keep:
        options.keep.write_text(json.dumps({"turns": turns, "answered": answered, "unanswered": unanswered}))
    for k in (1, 2, 4, 8):
        n = sum(gold in [key for key, _ in hits[:k]] for gold, _, hits in answered)
        print(f"fact among {k}: {n} of {len(answered)}")
    for number, leg in enumerate(LEGS):
        print(f"{leg}: threshold, facts among two notes above it, questions without an answer that get no note")
        for step in range(0, 100, 5):
            least = step / 100

            def notes(hits):
                return [key for key, shares in hits if shares[number] >= least][:2]

            found = sum(gold in notes(hits) for gold, _, hits in answered)
            quiet = sum(not notes(hits) for _, hits in unanswered)
            print(f"{least:9.2f}  {found:2} of {len(answered)}  {quiet:2} of {len(unanswered)}")


if __name__ == "__main__":
    main()
