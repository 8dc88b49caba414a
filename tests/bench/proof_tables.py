"""The tables of docs/proofs.md from the verdicts of `rpt-lab prove`.

    python tests/bench/proof_tables.py docs/results/proofs

First one table of all rows: loss on what is asked for, in nats, each row read as it reads by itself. Then one for each of S1, S2 and S3.
Lines for every file S?.ROW.json, rows in the paper's order, first those without neighbours.
"""
import json
import pathlib
import sys

ORDER = ("transformer_xl transformer_xl_plus2 transformer_xl_longer block_recurrent griffin memorizing_small memorizing_large "
         "retro retro_chunk_query rpt_lex rpt_sem rpt_lex_features rpt_sem_features rpt_sem_augment no_teacher only_teacher "
         "no_gate usual_start reference_compat gca gca_lambda_rank").split()


def figure(row, name):
    return f"{row[name]:.3f}" if name in row else ""


def verdict(folder, experiment, row_name):
    path = folder / f"{experiment}.{row_name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def summary(folder):
    yield "| row | S1 | S2 | S3 | gold@2 on S3 |"
    yield "|---|---|---|---|---|"
    for row_name in ORDER:
        cells = []
        for experiment in ("S1", "S2", "S3"):
            document = verdict(folder, experiment, row_name)
            row = document["rows"][0] if document else {}
            cells.append(figure(row, "own" if "own" in row else "none") if row else "not run")
        cells.append(figure(row, "own_recall_at_2"))
        yield f"| {row_name} | " + " | ".join(cells) + " |"


def lines(folder, experiment):
    for row_name in ORDER:
        document = verdict(folder, experiment, row_name)
        if document is None:
            continue
        for row in document["rows"]:
            label = row["row"] if row["task"] == experiment else f"{row['row']}, {row['task']}"
            holds = "holds" if document["passed"] else ("measured" if not document["checks"] else "**fails**")
            yield (f"| {label} | " + " | ".join(figure(row, n) for n in (
                "own", "oracle", "random", "none", "own_recall_at_2", "bm25_recall_at_2")) + f" | {holds} | {row['seconds']:.0f} |")


def main():
    folder = pathlib.Path(sys.argv[1])
    print("\n".join(summary(folder)), end="\n\n")
    for experiment in ("S1", "S2", "S3"):
        print(f"| {experiment} | own | oracle | random | none | gold@2 | BM25's | | seconds |")
        print("|---|---|---|---|---|---|---|---|---|")
        for line in lines(folder, experiment):
            print(line)
        print()


if __name__ == "__main__":
    main()
