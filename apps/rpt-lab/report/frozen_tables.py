"""What the memory of a frozen model is worth, from what `rpt-lab memory eval --json` printed."""
import json

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
