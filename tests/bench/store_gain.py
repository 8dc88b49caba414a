"""What a store adds to a text's own past: the first part of every document in a store, the passage behind it scored with the store,
with its own past alone, and with nothing.

    python tests/bench/store_gain.py books/validation.jsonl.zst math/validation.jsonl.zst [--neighbours 2,8,16] [--documents 5]

Takes the first documents of each file that are longer than 120 kB; up to 240 kB of each go to the store, the next 24 kB are
read. Prints nats a token for each document and their means. Needs numpy and the command zstd.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

from memory_gain import cut, documents

PASSAGE = 24_000


def score(program, store, path, *options):
    command = [program, "score", str(store), str(path), "--json", "--quiet", *options]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found["nats"] / found["tokens"]


def measure(program, text, neighbours, folder):
    stored = cut(text, min(len(text.encode()) - PASSAGE, 240_000))
    store, passage = folder / "memory", folder / "passage.txt"
    passage.write_text(cut(text[len(stored):], PASSAGE))
    subprocess.run([program, "add", str(store), "-", "--key", "document", "--quiet"], input=stored.encode(), check=True,
                   stdout=subprocess.DEVNULL)
    figures = {"none": score(program, "-", passage, "--no-memory")}
    for k in neighbours:
        figures[f"store {k}"] = score(program, store, passage, "--neighbours", k)
        figures[f"own past {k}"] = score(program, "-", passage, "--neighbours", k)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, nargs="+")
    parser.add_argument("--program", default="build/release/bin/rpt")
    parser.add_argument("--neighbours", default="2,8,16")
    parser.add_argument("--documents", type=int, default=5)
    args = parser.parse_args()
    rows = []
    for path in args.data:
        for document in list(documents(path))[:args.documents]:
            if len(document["text"].encode()) < 120_000:
                continue
            with tempfile.TemporaryDirectory() as folder:
                rows.append(measure(args.program, document["text"], args.neighbours.split(","), pathlib.Path(folder)))
            print(document["title"][:40], {name: round(value, 3) for name, value in rows[-1].items()}, flush=True)
    print("mean", {name: round(sum(row[name] for row in rows) / len(rows), 4) for name in rows[0]})


if __name__ == "__main__":
    main()
