"""Tables of the verdicts of `rpt-lab prove`, and the one file that keeps the verdicts.

    python apps/rpt-lab/report/proof_tables.py VERDICTS...            # prints the tables
    python apps/rpt-lab/report/proof_tables.py VERDICTS... --keep docs/results/proofs.json

VERDICTS are files of `rpt-lab prove --out`, named EXPERIMENT.ROW.json or EXPERIMENT.json, or one kept file.
"""
import argparse
import json
import pathlib

ORDER = ("transformer_xl transformer_xl_plus2 transformer_xl_longer block_recurrent griffin memorizing_small memorizing_large "
         "retro retro_chunk_query rpt_lex rpt_sem rpt_lex_features rpt_sem_features rpt_sem_augment no_teacher only_teacher "
         "no_gate usual_start reference_compat gca gca_lambda_rank").split()
FIGURES = ("own", "oracle", "random", "none", "own_recall_at_2", "bm25_recall_at_2")


def figure(row, name):
    return f"{row[name]:.3f}" if name in row else ""


def summary(verdicts):
    """Loss on what is asked for, in nats, each row read as it reads by itself."""
    yield "| row | S1 | S2 | S3 | gold@2 on S3 |"
    yield "|---|---|---|---|---|"
    for name in ORDER:
        cells, row = [], {}
        for experiment in ("S1", "S2", "S3"):
            verdict = verdicts.get(f"{experiment}.{name}")
            row = verdict["rows"][0] if verdict else {}
            cells.append(figure(row, "own" if "own" in row else "none") if row else "not run")
        cells.append(figure(row, "own_recall_at_2"))
        yield f"| {name} | " + " | ".join(cells) + " |"


def outcome(verdict):
    if not verdict["checks"]:
        return "measured"
    return "holds" if verdict["passed"] else "**fails**"


def lines_of(verdicts, experiment):
    """Every row of one experiment, with the neighbours swapped."""
    yield f"| {experiment} | own | oracle | random | none | gold@2 | BM25's | | seconds |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name in ORDER:
        verdict = verdicts.get(f"{experiment}.{name}")
        for row in verdict["rows"] if verdict else []:
            label = row["row"] if row["task"] == experiment else f"{row['row']}, {row['task']}"
            cells = [label, *(figure(row, name) for name in FIGURES), outcome(verdict), f"{row['seconds']:.0f}"]
            yield "| " + " | ".join(cells) + " |"


def checks(verdicts):
    """The experiments that are one verdict each: how many of their expectations hold."""
    yield "| experiment | shows | expectations that hold | |"
    yield "|---|---|---|---|"
    for name, verdict in verdicts.items():
        if "." not in name:
            held = sum(check["passed"] for check in verdict["checks"])
            yield f"| {name} | {verdict['shows']} | {held} of {len(verdict['checks'])} | {outcome(verdict)} |"


def page(verdicts):
    parts = ["# Proofs, row by row", "Loss on the tokens that are asked for, nats a token, with the neighbours swapped; chance "
             "is 5.545. `gold@2`: share of the questions whose gold chunk is among the first two found. [The results]"
             "(../results.md#synthetic-documents) say what this shows."]
    parts += ["\n".join(lines_of(verdicts, experiment)) for experiment in ("S1", "S2", "S3")]
    return "\n\n".join([*parts, "\n".join(checks(verdicts))]) + "\n"


def read_verdicts(paths):
    verdicts = {}
    for path in paths:
        found = json.loads(path.read_text())
        verdicts.update({path.stem: found} if "experiment" in found else found)
    return verdicts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verdicts", nargs="+", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, help="write the verdicts into this file instead")
    chosen = parser.parse_args()
    verdicts = read_verdicts(chosen.verdicts)
    if chosen.keep:
        ordered = sorted(verdicts, key=lambda name: (int(name.partition(".")[0][1:]), name))
        lines = [f" {json.dumps(name)}: {json.dumps(verdicts[name])}" for name in ordered]
        chosen.keep.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    else:
        print("\n".join(summary(verdicts)) + "\n\n" + page(verdicts), end="")


if __name__ == "__main__":
    main()
