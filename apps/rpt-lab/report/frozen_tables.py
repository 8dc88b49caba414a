"""What the memory of a frozen model is worth, from what `rpt-lab memory eval --json` and `memory read --json` printed."""
import json
import statistics

CORPORA = {"books": "books", "math": "mathematics", "code": "code"}
# title of a trial and its file below docs/results/frozen
TRIALS = {"window of 512": "window_512.json", "window of 2,048": "window_2048.json",
          "window of 512, second halves": "halves_512.json", "window of 2,048, second halves": "halves_2048.json",
          "window of 2,048, tokens 28,672 to 32,767": "reach_2048.json"}


def cell(row, way):
    if way not in row:
        return ""
    if not isinstance(row[way], dict):
        return f"{row[way]:.3f}"
    return f"{row[way]['difference']:+.3f} [{row[way]['low']:+.3f}, {row[way]['high']:+.3f}]"


def rows_of(title, trial):
    by_corpus = {row["corpus"]: row for row in trial}
    facts = [name for name in by_corpus["books"] if name not in ("corpus", "documents", "tokens")]
    for way in facts:
        label = f"**{title}**, no memory" if way == "no memory" else way
        yield f"| {label} | " + " | ".join(cell(by_corpus[corpus], way) for corpus in CORPORA) + " |"


def table(results):
    """Nats a token without a memory, and differences to it with 95 % intervals over documents."""
    yield "| | " + " | ".join(CORPORA.values()) + " |"
    yield "|---|" + "---|" * len(CORPORA)
    for title, name in TRIALS.items():
        path = results / "frozen" / name
        if path.exists():
            yield from rows_of(title, json.loads(path.read_text()))


FACTS = ("corpus", "documents", "tokens", "split", "first", "nats", "milliseconds a token")


def ways_rows(results):
    """Rows of docs/results/frozen/ways.json, a list for each run: those of one run have the same split."""
    runs = {}
    for row in json.loads((results / "frozen/ways.json").read_text()):
        runs.setdefault(row["split"], []).append(row)
    return [sorted(rows, key=lambda row: list(CORPORA).index(row["corpus"])) for rows in runs.values()]


def ways_table(results):
    """Differences to no memory with 95 % intervals over documents; time against it, the middle one of the corpora."""
    yield "| | " + " | ".join(CORPORA.values()) + " | time |"
    yield "|---|" + "---|" * (len(CORPORA) + 1)
    for rows in ways_rows(results):
        yield (f"| **halves meet after layer {rows[0]['split']}**, no memory | "
               + " | ".join(f"{row['nats']:.3f}" for row in rows) + " | 1.00 |")
        for way in (name for name in rows[0] if name not in FACTS):
            time = statistics.median(row[way]["time"] for row in rows)
            yield f"| {way} | " + " | ".join(cell(row, way) for row in rows) + f" | {time:.2f} |"
