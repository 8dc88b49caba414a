"""What memory is worth on whole documents: `rpt score -` with the text's own past against `--no-memory`.

    python tests/bench/memory_gain.py DATA.jsonl.zst --model models/nano.safetensors [--bytes 150000] [--out gain.json]

Reads JSON lines with "id" and "text" (zstd or plain), scores the first --bytes of every document both ways, and prints nats
a token for each, their difference, and a paired bootstrap over documents (10,000 resamples, 95 %). Needs numpy and the
command zstd.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy


def documents(path):
    if path.suffix == ".zst":
        text = subprocess.run(["zstd", "-dcq", "--long=27", str(path)], check=True, capture_output=True).stdout.decode()
    else:
        text = path.read_text()
    for line in text.splitlines():
        if line.strip():
            yield json.loads(line)


def score(program, model, path, *options):
    command = [program, "score", "-", str(path), "--json", "--quiet", *options]
    if model:
        command += ["--model", model]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def cut(text, size):
    return text.encode()[:size].decode(errors="ignore")


def interval(with_memory, without, tokens, resamples=10_000, seed=1):
    """95 % interval of the difference in nats a token, over documents drawn with replacement."""
    draw = numpy.random.default_rng(seed).integers(len(tokens), size=(resamples, len(tokens)))
    difference = (numpy.asarray(with_memory) - without)[draw].sum(1) / numpy.asarray(tokens)[draw].sum(1)
    return numpy.percentile(difference, [2.5, 97.5])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--program", default="build/release/bin/rpt")
    parser.add_argument("--model")
    parser.add_argument("--bytes", type=int, default=150_000, help="of each document")
    parser.add_argument("--documents", type=int, help="at most so many")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    rows = []
    print(f"{'document':40} {'tokens':>8} {'memory':>8} {'without':>8} {'gain':>8}")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "document.txt"
        for document in list(documents(options.data))[: options.documents]:
            path.write_text(cut(document["text"], options.bytes))
            own = score(options.program, options.model, path)
            none = score(options.program, options.model, path, "--no-memory")
            row = {"id": document["id"], "title": document.get("title", document["id"]), "tokens": own["tokens"],
                   "bytes": own["bytes"], "memory_nats": own["nats"], "without_nats": none["nats"]}
            rows.append(row)
            a, b = own["nats"] / own["tokens"], none["nats"] / none["tokens"]
            print(f"{row['title'][:40]:40} {own['tokens']:8} {a:8.4f} {b:8.4f} {a - b:+8.4f}", flush=True)
    own, none, tokens = (numpy.array([r[k] for r in rows]) for k in ("memory_nats", "without_nats", "tokens"))
    low, high = interval(own, none, tokens)
    total = tokens.sum()
    print(f"{'all':40} {total:8} {own.sum() / total:8.4f} {none.sum() / total:8.4f} {(own - none).sum() / total:+8.4f} "
          f"[{low:+.4f}, {high:+.4f}]")
    if options.out:
        options.out.write_text(json.dumps({"documents": rows, "gain": (own - none).sum() / total,
                                           "interval": [low, high]}, indent=1))


if __name__ == "__main__":
    main()
