"""The tables of docs/results.md and of the pages below docs/results, made of the numbers that are kept there.

    python apps/rpt-lab/report/results_pages.py            # writes them
    python apps/rpt-lab/report/results_pages.py --check    # says which differ, exit 1

docs/results.md is prose with tables between `<!-- NAME -->` and `<!-- end of NAME -->`; only these are written.
"""
import argparse
import json
import pathlib
import re
import sys

import frozen_tables
import pointer_tables
import proof_tables
import tables
from runs import read_json

HERE = pathlib.Path(__file__).resolve().parent
CORPORA = {"math": "mathematics", "code": "code", "pg19": "PG-19"}


def systems_table(report, paper):
    """Every row of the paper's tables 2 and 4 against Transformer-XL, the paper's own difference beside it."""
    yield "| | seeds | " + " | ".join(f"{title} | paper" for title in CORPORA.values()) + " |"
    yield "|---|---|" + "---|" * (2 * len(CORPORA))
    for entry in paper["systems"]:
        found = {corpus: report["corpora"][corpus]["systems"].get(entry["name"]) for corpus in CORPORA}
        seeds = "not run here" if found["math"] is None else str(len(found["math"]["trainings"]))
        cells = [entry["label"], seeds]
        for corpus, system in found.items():
            is_base = entry["name"] == report["baseline"]
            if system is None:
                cells += ["", ""]
            elif is_base:
                cells += [f"{system['perplexity']:.1f}", ""]
            else:
                cells += [tables.interval(system["difference"]),
                          tables.paper_difference(paper, entry, corpus, report["baseline"])]
        yield "| " + " | ".join(cells) + " |"


def gain_of(documents):
    """Tokens, nats a token with memory, without, and the difference."""
    tokens = sum(d["tokens"] for d in documents)
    memory, without = (sum(d[name] for d in documents) / tokens for name in ("memory_nats", "without_nats"))
    return tokens, memory, without, memory - without


def gain_summary(gains):
    yield "| | documents | tokens | with memory | without | difference |"
    yield "|---|---|---|---|---|---|"
    for name, gain in gains.items():
        tokens, memory, without, difference = gain_of(gain["documents"])
        yield (f"| {name} | {len(gain['documents'])} | {tokens:,} | {memory:.4f} | {without:.4f} | "
               f"{difference:+.4f} [{gain['interval'][0]:+.4f}, {gain['interval'][1]:+.4f}] |")


def gain_page(gains):
    parts = ["# What memory is worth, document by document",
             "The shipped model on test documents. [The results](../results.md#the-shipped-model) say how they were read."]
    for name, gain in gains.items():
        lines = [f"| {name} | tokens | with memory | without | difference |", "|---|---|---|---|---|"]
        for document in gain["documents"]:
            tokens, memory, without, difference = gain_of([document])
            lines.append(f"| {document['title']} | {tokens:,} | {memory:.4f} | {without:.4f} | {difference:+.4f} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def with_blocks(text, blocks):
    """The page with its tables replaced."""
    for name, lines in blocks.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
        if len(pattern.findall(text)) != 1:
            raise SystemExit(f'results_pages.py: docs/results.md needs one table named "{name}"')
        made = begin + "\n".join(lines) + end
        text = pattern.sub(lambda _: made, text)
    return text


def pages(docs):
    """{path: text} of every page that has tables made here."""
    results = docs / "results"
    paper, report = read_json(HERE / "paper.json"), read_json(results / "systems/report.json")
    verdicts = json.loads((results / "proofs.json").read_text())
    gains = {title: read_json(results / f"memory_gain_{name}.json") for title, name in
             (("mathematics", "math"), ("books", "books"))}
    blocks = {"systems": systems_table(report, paper), "proofs": proof_tables.summary(verdicts),
              "gains": gain_summary(gains), "frozen": frozen_tables.table(results),
              "ways": frozen_tables.ways_table(results),
              "pointers": pointer_tables.table(read_json(results / "pointers/rows.json"), paper)}
    return {results / "systems/tables.md": tables.markdown(report, paper),
            results / "proofs.md": proof_tables.page(verdicts), results / "memory_gain.md": gain_page(gains),
            docs / "results.md": with_blocks((docs / "results.md").read_text(), blocks)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=pathlib.Path, default=HERE.parents[2] / "docs", help="the folder docs")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page differs")
    chosen = parser.parse_args()
    differ = [path for path, text in pages(chosen.docs).items() if not path.exists() or path.read_text() != text]
    if chosen.check:
        for path in differ:
            print(f"results_pages.py: {path} is not what its numbers make; run this program without --check", file=sys.stderr)
        sys.exit(1 if differ else 0)
    for path, text in pages(chosen.docs).items():
        path.write_text(text)


if __name__ == "__main__":
    main()
