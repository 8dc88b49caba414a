"""Every number of the report, from a folder of runs. Nothing is formatted here."""
import json
import os
import pathlib
import subprocess

from runs import ReportError, read_json, read_runs

RANKING_FIGURES = ("precision_2", "recall_10", "ndcg_20", "overlap_query", "overlap_target")
SWAPPED = ("none", "random", "bm25", "own", "oracle", "oracle_scores")


def significant(value, digits=9):
    """The same structure with fewer digits: the bootstrap is not worth more."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: significant(part) for key, part in value.items()}
    if isinstance(value, list):
        return [significant(part) for part in value]
    return value


def mean(values):
    return sum(values) / len(values)


def corpus_part(evaluation, corpus):
    """The part of an evaluation that is about one corpus; an evaluation of one corpus has no parts."""
    return evaluation["collections"][corpus] if "collections" in evaluation else evaluation


def compare(lab, runs, entries, baseline, resamples):
    """{corpus: {entry: what `rpt-lab compare` says of it}}, every entry against the baseline."""
    words = []
    for entry in entries:
        files = [training["file"] for training in runs.get(entry["config"], [])
                 if not entry["row"] or entry["row"] in training["evaluation"]["rows"]]
        if files:
            row = f":{entry['row']}" if entry["row"] else ""
            words.append(f"{entry['name']}{row}=" + ",".join("/".join(file.parts[-2:]) for file in files))
    if not any(word.startswith(baseline + "=") for word in words):
        raise ReportError(f'the folder has no evaluated system "{baseline}" to compare with')
    if len(words) < 2:
        raise ReportError(f'the folder has nothing but "{baseline}", so there is nothing to compare')
    folder = next(iter(runs.values()))[0]["file"].parent.parent
    program = os.path.abspath(lab) if os.sep in lab else lab  # it runs in the folder of the runs
    command = [program, "compare", *words, "--against", baseline, "--resamples", str(resamples), "--json"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ReportError(f'"{lab}" cannot be run: {error.strerror}; name the program by --lab') from error
    if done.returncode != 0:
        raise ReportError(f"rpt-lab compare failed: {done.stderr.strip().removeprefix('rpt-lab: ')}")
    said = json.loads(done.stdout)
    corpora = sorted({document["collection"] for training in runs[baseline]
                      for document in training["evaluation"]["raw"]})
    parts = said.get("collections") or {corpora[0]: said["systems"]}
    return {corpus: {system["system"]: system for system in parts[corpus]} for corpus in corpora}


def rankings_of(runs, entries, corpus):
    """Means over seeds of how each retriever ranks; BM25 from the first system that has it."""
    rankings = []
    for entry in entries:
        if entry["row"] or entry["config"] not in runs:
            continue
        found = {}
        for training in runs[entry["config"]]:
            for name, ranking in corpus_part(training["evaluation"], corpus).get("ranking", {}).items():
                found.setdefault(name, []).append(ranking)
        for name in sorted(found):
            is_bm25 = name == "bm25"
            if name == "dpr" or (is_bm25 and any(ranking["name"] == "bm25" for ranking in rankings)):
                continue
            rankings.append({"name": "bm25" if is_bm25 else entry["name"],
                             **{figure: mean([r[figure] for r in found[name]]) for figure in RANKING_FIGURES}})
    return rankings


def swaps_of(trainings, corpus):
    """Nats a token of the same models with other neighbours than their own, means over the seeds read so."""
    usual = trainings[0]["evaluation"]["usual_row"]
    if usual == "none":
        return {}
    swaps = {}
    for row in (*SWAPPED, f"{usual}@8"):
        nats = [rows[row]["nats"] for training in trainings
                if row in (rows := corpus_part(training["evaluation"], corpus)["rows"])]
        if nats:
            swaps["more" if row.endswith("@8") else row] = mean(nats)
    return swaps


def best_target_score(runs, corpus):
    for trainings in runs.values():
        part = corpus_part(trainings[0]["evaluation"], corpus)
        if "best_target_score" in part:
            return part["best_target_score"]
    return []


def time_ratios(file):
    """Seconds a token against the first row's, from `rpt-lab speed --json`: {configuration: ratio}."""
    if file is None:
        return {}
    rows = read_json(pathlib.Path(file)).get("rows")
    if rows is None:
        raise ReportError(f'"{file}" is not what `rpt-lab speed --json` writes')
    return {pathlib.Path(row["config"]).stem: row["time_ratio"] for row in rows}


def gather(folder, paper, *, lab, baseline, second, resamples, speed, setting):
    """The report as report.json keeps it."""
    runs = read_runs(os.path.abspath(folder))
    entries = paper["systems"]
    measured = compare(lab, runs, entries, baseline, resamples)
    if second != baseline and second in runs:
        beside = compare(lab, runs, entries, second, resamples)
    else:
        beside = {}
    rows = {entry["name"]: entry for entry in entries}
    corpora = {}
    for corpus, systems in measured.items():
        for name, system in systems.items():
            if rows[name]["row"]:
                system.pop("by_gold", None)
            if rows[name]["row"] or rows[name]["table"] != 2:
                system.pop("by_position", None)
        corpora[corpus] = {
            "systems": systems,
            "against_second": {name: system["difference"] for name, system in beside.get(corpus, {}).items()
                               if "difference" in system},
            "ranking": rankings_of(runs, entries, corpus),
            "swaps": {name: swaps for name, trainings in runs.items() if (swaps := swaps_of(trainings, corpus))},
            "best_target_score": best_target_score(runs, corpus),
        }
    trained = [{"name": name, "seeds": [t["seed"] for t in trainings], "parameters": trainings[0]["parameters"],
                "steps": trainings[0]["steps"], "training_tokens": trainings[0]["training_tokens"],
                "tokens_per_second": [t["tokens_per_second"] for t in trainings],
                "gemm_share": [t["gemm_share"] for t in trainings], "curves": [t["curve"] for t in trainings]}
               for name, trainings in runs.items()]
    return significant({"setting": setting, "baseline": baseline, "second": second, "resamples": resamples,
                        "time_ratios": time_ratios(speed), "systems": trained, "corpora": corpora})
