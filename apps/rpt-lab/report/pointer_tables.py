"""What a pointer adds to trained rows, from the evaluations that configs/run_pointers.sh made.

    python apps/rpt-lab/report/pointer_tables.py RUNS ROW... --keep docs/results/pointers/rows.json

RUNS holds ROW.1/pointer.json.zst. The first row is the one that all are compared with.
"""
import argparse
import json
import pathlib
import subprocess
import sys

from gather import significant
from runs import ReportError, read_json
from tables import interval

CORPORA = {"math": "mathematics", "code": "code", "pg19": "PG-19", "books": "books"}


def compared(lab, resamples, *systems):
    """{corpus: {name: what `rpt-lab compare` says of it}}, against the first of `systems`."""
    command = [lab, "compare", *systems, "--resamples", str(resamples), "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ReportError(f'"{lab}" cannot be run: {error.strerror}; name the program by --lab') from error
    if done.returncode != 0:
        raise ReportError(f"rpt-lab compare failed: {done.stderr.strip().removeprefix('rpt-lab: ')}")
    parts = json.loads(done.stdout).get("collections")
    if parts is None:
        raise ReportError("the evaluations are of one corpus; evaluate on two or more")
    return {corpus: {system["system"]: system for system in systems} for corpus, systems in parts.items()}


def facts(system):
    """Perplexity of a system, and how it lies to the one it was compared with."""
    return {key: system[key] for key in ("nats", "perplexity", "difference") if key in system}


def gather(runs, names, lab, resamples):
    """{corpus: {row: {"without", "with": facts against the first row, "gain": with against without}}}."""
    files = {name: runs / f"{name}.1" / "pointer.json.zst" for name in names}
    words = [f"{name}{row}={files[name]}" for name in names for row in ("", "+:pointer")]
    found = {}
    for corpus, systems in compared(lab, resamples, *words).items():
        found[corpus] = {name: {"without": facts(systems[name]), "with": facts(systems[name + "+"])} for name in names}
    for name in names:
        pair = compared(lab, resamples, f"{name}={files[name]}", f"{name}+:pointer={files[name]}")
        for corpus, systems in pair.items():
            found[corpus][name]["gain"] = systems[name + "+"]["difference"]
            found[corpus][name]["by_gold"] = {part: {key: values[key] for key in ("tokens", "nats", "low", "high")} for
                                              part, values in systems[name + "+"].get("by_gold", {}).items()}
    return significant(found)


def table(kept, paper):
    """Each row without and with its pointer: perplexity, the pointer's gain, and both against the first row."""
    names = {entry["name"]: entry["label"] for entry in paper["systems"]}
    corpora = [corpus for corpus in CORPORA if corpus in kept]
    rows = list(kept[corpora[0]])
    yield "| | " + " | ".join(f"{CORPORA[corpus]} | by the pointer" for corpus in corpora) + " |"
    yield "|---|" + "---|" * (2 * len(corpora))
    for name in rows:
        for which in ("without", "with"):
            cells = [names.get(name, name) + ("" if which == "without" else " + pointer")]
            for corpus in corpora:
                found = kept[corpus][name]
                against = f", {interval(found[which]['difference'])}" if "difference" in found[which] else ""
                cells.append(f"{found[which]['perplexity']:.1f}{against}")
                cells.append(interval(found["gain"]) if which == "with" else "")
            yield "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=pathlib.Path)
    parser.add_argument("rows", nargs="+")
    parser.add_argument("--keep", type=pathlib.Path, help="write the numbers into this file instead of printing a table")
    parser.add_argument("--lab", default="rpt-lab", help="the program rpt-lab")
    parser.add_argument("--resamples", type=int, default=10000)
    chosen = parser.parse_args()
    try:
        kept = gather(chosen.runs, chosen.rows, chosen.lab, chosen.resamples)
        if chosen.keep:
            chosen.keep.parent.mkdir(parents=True, exist_ok=True)
            chosen.keep.write_text(json.dumps(kept, indent=1) + "\n")
        else:
            print("\n".join(table(kept, read_json(pathlib.Path(__file__).parent / "paper.json"))))
    except ReportError as error:
        sys.exit(f"pointer_tables.py: {error}")


if __name__ == "__main__":
    main()
